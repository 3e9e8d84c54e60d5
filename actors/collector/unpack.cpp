#include "actors/collector/unpack.hpp"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/queue_record.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

class unpacker {
public:
  unpacker(const node_name& node, moment at, inbox_channel channel, std::int64_t first_ns, unpacked& into)
    : at_(at), channel_(channel), first_ns_(first_ns), into_(into) {
    rule_.node = node;
    rule_.how = channel == inbox_channel::beside_usage ? cpa::decode_rule::identity::as_detail
                                                       : cpa::decode_rule::identity::as_queue_record;
  }

  void record(std::string_view payload) {
    auto item = cpa::decode_queue_record(payload, rule_);
    if (!item)
      return bury(payload, item.error());
    auto* got = std::get_if<cpa::queue_record>(&*item);
    if (!got) {
      ++into_.notices;
      return;
    }
    if (got->what.at.unix_ns < first_ns_)
      return bury(payload, make_error(errc::record_too_old, rule_.node));
    ++into_.records;
    place_.assign(std::to_string(got->model.size())).append(1, ':').append(got->model).append(got->client_key.reveal());
    auto [place, is_new] = into_.places.try_emplace(place_, into_.groups.size());
    if (is_new)
      into_.groups.push_back({got->client_key, got->model, {}});
    into_.groups[place->second].details.push_back(std::move(got->what));
  }

  /// What the account said is in CPA's own list; here is that it failed, and how.
  void account_error(std::string_view payload) {
    auto got = cpa::decode_account_error(payload, rule_.node);
    if (!got) {
      if (auto control = cpa::decode_queue_record(payload, rule_);
          control && std::holds_alternative<cpa::queue_control>(*control)) {
        ++into_.notices;
        return;
      }
      return bury(payload, got.error());
    }
    const nlohmann::json data = {
      {"node", rule_.node},          {"auth_index", got->auth_index},   {"provider", got->provider},
      {"model", got->model},         {"status_code", got->status_code}, {"code", got->code},
      {"retryable", got->retryable}, {"at", to_rfc3339(got->at)}};
    into_.events.push_back({0, event_kind::account_failed, rule_.node, at_, dump(data)});
  }

  void bury(std::string_view payload, const caf::error& why) {
    dead_letter letter;
    letter.node = rule_.node;
    letter.at = at_;
    letter.channel = channel_;
    letter.reason = render(why);
    letter.payload = secret{std::string{payload}};
    letter.bytes = payload.size();
    into_.dead.push_back(std::move(letter));
  }

private:
  moment at_;
  inbox_channel channel_;
  std::int64_t first_ns_;
  unpacked& into_;
  cpa::decode_rule rule_;
  std::string place_; ///< keeps its room from record to record
};

} // namespace

void unpack(const node_name& node, moment at, inbox_channel channel, const payload_batch& payloads, unpacked& into,
            std::int64_t first_ns) {
  // Where the same records come by `/usage` too, it is said there.
  unpacker out{node, at, channel, channel == inbox_channel::beside_usage ? INT64_MIN : first_ns, into};
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const auto payload = payloads[i];
    if (channel == inbox_channel::errors) {
      out.account_error(payload);
    } else if (channel == inbox_channel::http_pop) {
      const auto answer = cpa::split_queue_answer(payload);
      for (const auto element : answer.elements)
        out.record(element);
      // A letter that was replayed is one record, not a list.
      if (answer.error && answer.elements.empty() && payload.starts_with('{'))
        out.record(payload);
      else if (answer.error)
        out.bury(payload, answer.error);
    } else {
      out.record(payload);
    }
  }
}

} // namespace keyportal
