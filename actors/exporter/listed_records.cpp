#include "actors/exporter/listed_records.hpp"

#include <algorithm>
#include <utility>

namespace keyportal {

namespace {

constexpr std::size_t rows_at_once = 16'384;
constexpr std::size_t most_buffered = 131'072; // rows, of all bunches together while they are sorted
constexpr std::uint8_t failed_flag = 1;
constexpr std::uint8_t odd_flag = 2;

} // namespace

/// Fixed width: where a row lies follows from its number.
struct listed_records::row {
  std::int64_t at_ns;
  std::uint32_t list;
  std::uint32_t source, auth_index;
  std::uint32_t latency_ms, input, output, reasoning, cached, total; ///< of odd ones the first is their number
  std::int16_t offset_minutes;
  std::uint8_t flags;
  std::uint8_t unused;
};

listed_records::listed_records(std::filesystem::path folder, std::uint64_t held)
  : folder_(std::move(folder)), most_held_(std::max<std::uint64_t>(held, 1)) {}
listed_records::~listed_records() = default;

listed_records::row listed_records::row_of(std::uint32_t list, const listed_record& record) {
  row out{};
  out.at_ns = record.at_ns;
  out.list = list;
  out.source = record.source;
  out.auth_index = record.auth_index;
  out.offset_minutes = record.offset_minutes;
  out.flags = record.failed ? failed_flag : 0;
  const std::int64_t amounts[] = {record.latency_ms,       record.tokens.input,  record.tokens.output,
                                  record.tokens.reasoning, record.tokens.cached, record.tokens.total};
  std::uint32_t* const fields[] = {&out.latency_ms, &out.input, &out.output, &out.reasoning, &out.cached, &out.total};
  for (std::size_t i = 0; i < std::size(amounts); ++i) {
    if (amounts[i] < 0 || amounts[i] > UINT32_MAX) {
      out.flags |= odd_flag;
      out.latency_ms = static_cast<std::uint32_t>(odd_.size());
      odd_.push_back(record);
      break;
    }
    *fields[i] = static_cast<std::uint32_t>(amounts[i]);
  }
  return out;
}

void listed_records::take(const row& from, listed_record& to) const {
  if ((from.flags & odd_flag) != 0) {
    to = odd_[from.latency_ms];
    return;
  }
  to = {from.at_ns,
        from.latency_ms,
        {from.input, from.output, from.reasoning, from.cached, from.total},
        from.source,
        from.auth_index,
        from.offset_minutes,
        (from.flags & failed_flag) != 0};
}

caf::error listed_records::add(std::uint32_t list, const listed_record& record) {
  rows_.push_back(row_of(list, record));
  return rows_.size() < rows_at_once ? caf::error{} : flush();
}

caf::error listed_records::flush() {
  if (rows_.empty())
    return {};
  if (written_ == 0) {
    auto made = scratch_file::make(folder_);
    if (!made)
      return made.error();
    file_ = std::move(*made);
  }
  if (auto failed = file_.write(written_ * sizeof(row), rows_.data(), rows_.size() * sizeof(row)))
    return failed;
  written_ += rows_.size();
  rows_.clear();
  return {};
}

caf::error listed_records::sort(const std::vector<std::uint32_t>& place_of, const std::vector<std::uint64_t>& sizes) {
  if (auto failed = flush())
    return failed;
  sizes_ = sizes;
  std::vector<std::uint32_t> bunch_of(sizes.size());
  std::uint64_t begin = 0;
  for (std::uint64_t place = 0; place < sizes.size(); ++place) {
    if (bunches_.empty() || bunches_.back().records + sizes[place] > most_held_)
      bunches_.push_back({place, 0, begin, 0});
    ++bunches_.back().places;
    bunches_.back().records += sizes[place];
    bunch_of[place] = static_cast<std::uint32_t>(bunches_.size() - 1);
    begins_.push_back(begin);
    begin += sizes[place];
  }
  if (written_ == 0)
    return {};
  auto sorted = scratch_file::make(folder_);
  if (!sorted)
    return sorted.error();
  const auto buffered = std::max<std::size_t>(most_buffered / bunches_.size(), 16);
  std::vector<std::vector<row>> waiting(bunches_.size());
  std::vector<std::uint64_t> ends;
  for (const auto& one : bunches_)
    ends.push_back(one.begin);
  const auto write = [&](std::size_t which) -> caf::error {
    auto& some = waiting[which];
    auto failed = sorted->write(ends[which] * sizeof(row), some.data(), some.size() * sizeof(row));
    ends[which] += some.size();
    some.clear();
    return failed;
  };
  for (std::uint64_t first = 0; first < written_; first += rows_at_once) {
    rows_.resize(std::min<std::uint64_t>(rows_at_once, written_ - first));
    if (auto failed = file_.read(first * sizeof(row), rows_.data(), rows_.size() * sizeof(row)))
      return failed;
    for (auto& one : rows_) {
      one.list = place_of[one.list];
      const auto which = bunch_of[one.list];
      waiting[which].push_back(one);
      if (waiting[which].size() == buffered)
        if (auto failed = write(which))
          return failed;
    }
  }
  for (std::size_t which = 0; which < waiting.size(); ++which)
    if (auto failed = write(which))
      return failed;
  file_ = std::move(*sorted);
  rows_ = {};
  return {};
}

caf::expected<const listed_record*> listed_records::read(std::uint64_t place, std::uint64_t part) {
  const auto at = begins_[place] + part;
  if (at < held_from_ || at >= held_from_ + held_.size()) {
    const auto next = std::upper_bound(bunches_.begin(), bunches_.end(), place,
                                       [](auto wanted, const bunch& one) { return wanted < one.first_place; });
    if (auto failed = hold(static_cast<std::size_t>(next - bunches_.begin()) - 1, part))
      return failed;
  }
  return &held_[at - held_from_];
}

caf::error listed_records::hold(std::size_t which, std::uint64_t part) {
  const auto& of = bunches_[which];
  // Of a list that is longer than what may be held, from that record on.
  const auto from = of.places == 1 ? of.begin + part : of.begin;
  const auto count = std::min(most_held_, of.begin + of.records - from);
  held_from_ = from;
  held_.resize(count);
  auto next = std::vector<std::uint64_t>(of.places);
  for (std::uint64_t i = 0; i < of.places; ++i)
    next[i] = begins_[of.first_place + i] - of.begin;
  for (std::uint64_t done = 0; done < count; done += rows_.size()) {
    rows_.resize(std::min<std::uint64_t>(rows_at_once, count - done));
    if (auto failed = file_.read((from + done) * sizeof(row), rows_.data(), rows_.size() * sizeof(row))) {
      held_.clear();
      return failed;
    }
    for (std::size_t i = 0; i < rows_.size(); ++i)
      take(rows_[i], held_[of.places == 1 ? done + i : next[rows_[i].list - of.first_place]++]);
  }
  return {};
}

} // namespace keyportal
