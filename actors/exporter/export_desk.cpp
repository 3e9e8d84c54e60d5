#include "actors/exporter/export_desk.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/rand.h>

#include "messages/errors.hpp"

namespace keyportal {

namespace {

caf::error refused(std::string about) { return make_error(errc::bad_request, std::move(about)); }

caf::expected<std::string> draw_id() {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1)
    return make_error(errc::internal, "no random numbers");
  std::string out;
  for (const auto byte : bytes)
    fmt::format_to(std::back_inserter(out), "{:02x}", byte);
  return out;
}

std::string_view type_of(export_format format) {
  switch (format) {
    case export_format::csv: return "text/csv; charset=utf-8; header=present";
    case export_format::jsonl: return "application/x-ndjson";
    case export_format::cpa: break;
  }
  return "application/json";
}

std::string file_of(const export_question& asked, moment now) {
  const auto at = to_rfc3339_ms(now); // 2026-04-02T10:20:30.123Z
  return fmt::format("keyportal-{}-{}{}{}T{}{}{}Z.{}", name_of(asked.what), at.substr(0, 4), at.substr(5, 2),
                     at.substr(8, 2), at.substr(11, 2), at.substr(14, 2), at.substr(17, 2),
                     asked.format == export_format::cpa ? "json" : name_of(asked.format));
}

caf::expected<std::unique_ptr<export_source>> source_of(const export_plan& plan,
                                                        std::shared_ptr<const export_view> view) {
  switch (plan.asked.what) {
    case export_what::records:
      return plan.asked.format == export_format::cpa ? make_cpa_document(plan, std::move(view))
                                                     : make_record_rows(plan, std::move(view));
    case export_what::rollups: return make_rollup_rows(plan, std::move(view));
    case export_what::users: return make_user_rows(plan, std::move(view));
    case export_what::keys: return make_key_rows(plan, std::move(view));
    case export_what::audit: break;
  }
  return make_audit_rows(plan, std::move(view));
}

} // namespace

caf::expected<export_plan> plan_export(const export_question& asked, moment now) {
  const bool of_usage = asked.what == export_what::records || asked.what == export_what::rollups;
  if (asked.format == export_format::cpa && asked.what != export_what::records)
    return refused("only records have the format cpa");
  if (!asked.where.empty() && !of_usage)
    return refused(fmt::format("{} are not filtered", name_of(asked.what)));
  if (!asked.text.empty() && asked.what != export_what::records)
    return refused("only records are looked through for a text");
  if ((!asked.from.empty() || !asked.to.empty()) && !of_usage && asked.what != export_what::audit)
    return refused(fmt::format("{} have no range of time", name_of(asked.what)));
  if (asked.byte_order_mark && asked.format != export_format::csv)
    return refused("only CSV may begin with a byte order mark");
  auto zone = calendar::of(asked.zone.empty() ? "UTC" : asked.zone, asked.weeks_begin_on_sunday);
  if (!zone)
    return zone.error();
  export_plan out{asked, *zone, INT64_MIN, INT64_MAX, now, 0, {}};
  const auto words = "no time: RFC 3339, 2026-04-02, 30d, now, today, week, month or year";
  auto end = now;
  if (!asked.to.empty()) {
    const auto read = zone->read(asked.to, now, now);
    if (!read)
      return refused(fmt::format("to is {}", words));
    end = *read;
    out.end_ns = unix_ns(end);
  }
  if (!asked.from.empty()) {
    const auto read = zone->read(asked.from, now, end);
    if (!read)
      return refused(fmt::format("from is {}", words));
    out.first_ns = unix_ns(*read);
  }
  if (out.first_ns > out.end_ns)
    return refused("the range ends before it begins");
  return out;
}

const std::string& export_people::email_of(const user_id& user) const {
  static const std::string nothing;
  const auto found = emails.find(user);
  return found == emails.end() ? nothing : found->second;
}

namespace {

caf::expected<std::shared_ptr<const export_people>> read_people(const storage::ledger::reading& books,
                                                                log_position position) {
  auto out = std::make_shared<export_people>();
  out->position = position;
  registry_image image;
  auto failed = books.each_user({}, [&](user&& one) {
    out->emails.emplace(one.id, one.email);
    image.users.push_back(std::move(one));
    return true;
  });
  if (!failed)
    failed = books.each_key({}, [&](client_key&& one) {
      out->keys.emplace(one.id, export_people::key{one.shown, one.label});
      image.keys.push_back(std::move(one));
      return true;
    });
  if (!failed)
    failed = books.each_policy([&](policy&& one) {
      image.policies.push_back(std::move(one));
      return true;
    });
  if (failed)
    return failed;
  out->owners = ownership{image};
  return std::shared_ptr<const export_people>{std::move(out)};
}

} // namespace

caf::expected<std::shared_ptr<export_view>> hold_view(const storage::ledger& store,
                                                      std::shared_ptr<const export_people>& known) {
  auto position = store.registry_position(); // the view has this entry at least
  auto out = std::make_shared<export_view>();
  out->books = store.read();
  if (auto failed = out->books->each_entry(position, [&](registry_entry&& entry) {
        position = entry.position;
        return true;
      }))
    return failed;
  if (!known || known->position != position) {
    auto people = read_people(*out->books, position);
    if (!people)
      return people.error();
    known = std::move(*people);
  }
  out->people = known;
  return out;
}

struct export_desk::held_export {
  struct piece {
    std::uint64_t offset = 0;
    export_place at;
  };
  std::unique_ptr<export_source> source;
  std::vector<piece> pieces{piece{}}; ///< the last one has not been written yet
  bool complete = false;              ///< there is no last one to write: it stands for the end
  std::string content_type, file_name;
  moment began{}, read_at{};
};

export_desk::export_desk(std::shared_ptr<const storage::ledger> store, export_limits limits)
  : store_(std::move(store)), limits_(std::move(limits)) {}
export_desk::~export_desk() = default;

caf::expected<opened_export> export_desk::open(const export_question& asked, moment now) {
  auto plan = plan_export(asked, now);
  if (!plan)
    return plan.error();
  plan->gathered = limits_.gathered;
  plan->scratch = limits_.scratch;
  tidy(now);
  if (!make_room(now))
    return make_error(errc::too_many_requests, "exports");
  auto id = draw_id();
  if (!id)
    return id.error();
  auto view = hold_view(*store_, people_);
  if (!view)
    return view.error();
  const auto position = (*view)->books->position();
  auto source = source_of(*plan, std::move(*view));
  if (!source)
    return source.error();
  auto held = std::make_unique<held_export>();
  held->source = std::move(*source);
  held->content_type = type_of(asked.format);
  held->file_name = file_of(asked, now);
  held->began = held->read_at = now;
  opened_export out{std::move(*id), position, held->content_type, held->file_name};
  all_[out.id] = std::move(held);
  return out;
}

caf::expected<export_piece> export_desk::read(const read_export& which, moment now) {
  const auto found = all_.find(which.id);
  if (found == all_.end())
    return make_error(errc::export_gone);
  auto& one = *found->second;
  one.read_at = now;
  export_piece out{nullptr, which.offset, false, one.content_type, one.file_name};
  const auto at = std::upper_bound(one.pieces.begin(), one.pieces.end(), which.offset,
                                   [](std::uint64_t offset, const auto& piece) { return offset < piece.offset; })
                  - 1;
  const bool at_end = at + 1 == one.pieces.end();
  if (at_end && which.offset > at->offset)
    return refused("nothing of the export lies there yet");
  auto text = std::make_shared<std::string>();
  if (at_end && one.complete) {
    out.text = std::move(text);
    out.last = true;
    return out;
  }
  text->reserve(limits_.piece_bytes + limits_.piece_bytes / 16);
  auto place = at->at;
  const auto begin = at->offset; // `at` does not outlive a new piece
  const auto more = one.source->write(place, *text, limits_.piece_bytes);
  if (!more)
    return more.error();
  out.last = !*more;
  if (at_end) {
    const auto next = begin + text->size();
    if (text->empty() && *more)
      one.pieces.back().at = std::move(place);
    else
      one.pieces.push_back({next, std::move(place)});
    one.complete = !*more;
  }
  const auto seen = static_cast<std::size_t>(which.offset - begin);
  if (seen != 0)
    text->erase(0, seen);
  out.text = std::move(text);
  return out;
}

void export_desk::close(const std::string& id) { all_.erase(id); }

void export_desk::tidy(moment now) {
  std::erase_if(all_, [&](const auto& one) {
    return now - one.second->read_at > limits_.lease || now - one.second->began > limits_.longest;
  });
}

bool export_desk::make_room(moment now) {
  if (all_.size() < limits_.held)
    return true;
  auto least = all_.end();
  for (auto at = all_.begin(); at != all_.end(); ++at) {
    const auto& one = *at->second;
    if (!one.complete && now - one.read_at < limits_.left_alone)
      continue;
    if (least == all_.end()
        || std::pair{!one.complete, one.read_at} < std::pair{!least->second->complete, least->second->read_at})
      least = at;
  }
  if (least == all_.end())
    return false;
  all_.erase(least);
  return true;
}

} // namespace keyportal
