#include "gateway/compat/places.hpp"

#include <algorithm>

#include "gateway/compat/queue_text.hpp"

namespace keyportal::compat {

namespace {

constexpr std::size_t most_records = 10'000;
constexpr std::size_t enough_bytes = std::size_t{16} << 20;
constexpr std::uint32_t page_records = 500;

std::string name_of(const consumer& who, const node_name& node) {
  return node.empty() ? "compat/" + who.name : "compat/" + who.name + "@" + node;
}

} // namespace

caf::expected<queue_place::page> queue_place::read(sequence after, std::size_t at_most_records) const {
  page out;
  out.read_to = after;
  const auto last = backend_.last();
  std::size_t bytes = 0;
  while (out.records.size() < at_most_records && bytes < enough_bytes) {
    read_arrivals what;
    what.after = out.read_to;
    what.limit = static_cast<std::uint32_t>(std::min<std::size_t>(at_most_records - out.records.size(), page_records));
    if (!node_.empty())
      what.node = node_;
    what.with_extra = true;
    what.whole = true;
    auto found = backend_.arrivals(what);
    if (!found)
      return std::move(found.error());
    for (const auto& one : *found) {
      std::string text;
      append_queue_record(text, one);
      bytes += text.size();
      out.records.emplace_back(one.record.seq, std::move(text));
    }
    if (!found->empty())
      out.read_to = found->back().record.seq;
    if (found->size() < what.limit) {
      out.read_to = std::max(out.read_to, last); // it was read before the records were
      break;
    }
  }
  return out;
}

caf::expected<std::vector<std::string>> queue_place::pop(std::size_t at_most) {
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  if (subscribers_ > 0 || at_most == 0)
    return out;
  auto found = read(std::max(at_, looked_), std::min(at_most, most_records));
  if (!found)
    return std::move(found.error());
  looked_ = found->records.empty() ? found->read_to : found->records.back().first;
  if (found->records.empty())
    return out;
  const auto to = found->records.back().first;
  if (auto error = backend_.keep_place(name_, to)) {
    looked_ = at_;
    return error;
  }
  at_ = to;
  out.reserve(found->records.size());
  for (auto& [seq, text] : found->records)
    out.push_back(std::move(text));
  return out;
}

sequence queue_place::subscribe() {
  const std::lock_guard lock(mutex_);
  ++subscribers_;
  return at_;
}

void queue_place::unsubscribe() {
  const std::lock_guard lock(mutex_);
  --subscribers_;
}

caf::error queue_place::reached(sequence seq) {
  const std::lock_guard lock(mutex_);
  if (seq <= at_) // another subscriber of the same name was faster
    return {};
  if (auto error = backend_.keep_place(name_, seq))
    return error;
  at_ = seq;
  return {};
}

caf::error places::open(const std::vector<consumer>& consumers) {
  auto kept = backend_.places();
  if (!kept)
    return kept.error();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& one : *kept)
      known_[one.name] = one.seq;
  }
  for (const auto& one : consumers)
    if (auto place = of(one, one.node); !place)
      return place.error();
  return {};
}

caf::expected<std::shared_ptr<queue_place>> places::of(const consumer& who, const node_name& node) {
  const auto name = name_of(who, node);
  const std::lock_guard lock(mutex_);
  auto& place = open_[name];
  if (place)
    return place;
  auto known = known_.find(name);
  if (known == known_.end()) {
    const sequence begin = who.from_beginning ? 0 : backend_.last();
    if (auto error = backend_.keep_place(name, begin))
      return error;
    known = known_.emplace(name, begin).first;
  }
  place = std::make_shared<queue_place>(backend_, name, node, known->second);
  return place;
}

} // namespace keyportal::compat
