// What waits for one person becomes one message.
#include <algorithm>

#include <fmt/format.h>

#include "actors/notifier/notice_book.hpp"
#include "actors/notifier/notice_text.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

constexpr std::size_t most_in_digest = 500;
constexpr std::size_t lines_in_digest = 30;

/// What may have arrived already goes on by itself, under its own id: in a digest it would be told twice for certain.
bool may_gather(const notice_record& n) {
  return n.weight != notice_weight::alarm && n.members.empty() && n.sealed.empty() && n.kind != "digest"
         && !is_in_doubt(n);
}

} // namespace

void notice_book::gather(channel_state& at, notice_record& first, moment now, notice_changes& out) {
  const auto place = waiting_for_.find(place_of(first));
  if (place == waiting_for_.end() || by_.settings.digest_above <= 0 || !may_gather(first)
      || place->second.size() <= static_cast<std::size_t>(by_.settings.digest_above))
    return;
  std::vector<notice_id> members;
  for (const auto& id : place->second) {
    const auto& one = open_.at(id);
    if (one.state == notice_state::waiting && one.due_at <= std::max(now, first.due_at) && may_gather(one)
        && !at.outstanding.contains(id) && members.size() < most_in_digest)
      members.push_back(id);
    else if (one.state == notice_state::waiting && may_gather(one) && !one.attempts.empty()
             && !at.outstanding.contains(id) && members.size() < most_in_digest)
      members.push_back(id); // it waits to be tried again
  }
  if (members.size() <= static_cast<std::size_t>(by_.settings.digest_above))
    return;
  notice_record all;
  all.id =
    make_notice_id(now, 0, "digest", members.front(), first.recipient + first.address, first.channel, members.back());
  all.kind = "digest";
  all.about = "digest";
  all.at = now;
  all.why = first.why;
  all.recipient = first.recipient;
  all.address = first.address;
  all.channel = first.channel;
  all.language = first.language;
  all.due_at = now;
  all.until = now + by_.settings.give_up;
  std::string list;
  std::size_t lines = 0;
  for (const auto& id : members) {
    auto one = open_.at(id);
    const auto* kind = find_kind(one.kind);
    const auto facts = nlohmann::json::parse(one.facts, nullptr, false);
    if (kind != nullptr && facts.is_object() && ++lines <= lines_in_digest) {
      const auto words = write_letter(*kind, all.language, facts, by_.zone, {}, {});
      list += fmt::format("{}· {}{}{}", list.empty() ? "" : "\n", words.title, words.lines.empty() ? "" : " — ",
                          words.lines.empty() ? "" : words.lines.front());
    }
    one.state = notice_state::gathered;
    one.digest = all.id;
    leave(open_.at(id));
    out.put.push_back(std::move(one));
  }
  if (lines > lines_in_digest)
    list += "\n…";
  all.facts = dump({{"count", members.size()}, {"list", list}});
  all.members = std::move(members);
  out.put.push_back(all);
  enter(std::move(all));
}

} // namespace keyportal
