#include "messages/exports.hpp"

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

#include "messages/exports_json.hpp"
#include "messages/question_words.hpp"

namespace keyportal {

namespace {

constexpr std::string_view whats[] = {"records", "rollups", "users", "keys", "audit"};
constexpr std::string_view formats[] = {"csv", "jsonl", "cpa"};

template <class Value, std::size_t Size>
std::optional<Value> read(const std::string_view (&names)[Size], std::string_view name) {
  const auto found = std::find(std::begin(names), std::end(names), name);
  return found == std::end(names) ? std::nullopt : std::optional{static_cast<Value>(found - std::begin(names))};
}

caf::expected<export_question> question_of(export_what what, question_words given) {
  export_question out;
  out.what = what;
  std::string format = "csv";
  given.text("format", format);
  if (const auto known = export_format_of(format))
    out.format = *known;
  else
    given.fail("format is csv, jsonl or cpa");
  given.text("from", out.from);
  given.text("to", out.to);
  given.text("zone", out.zone);
  given.filters(out.where);
  given.text("text", out.text);
  given.yes_or_no("bom", out.byte_order_mark);
  if (what == export_what::rollups) {
    std::string step = "day";
    given.text("step", step);
    const auto known = usage_step_of(step);
    if (known && *known >= usage_step::hour)
      out.step = *known;
    else
      given.fail("step is hour, day, week or month");
    given.first_weekday(out.weeks_begin_on_sunday);
    given.dimensions(out.by);
  }
  if (auto wrong = given.finish())
    return wrong;
  return out;
}

} // namespace

std::string_view name_of(export_what what) { return whats[static_cast<std::size_t>(what)]; }
std::string_view name_of(export_format format) { return formats[static_cast<std::size_t>(format)]; }
std::optional<export_what> export_what_of(std::string_view name) { return read<export_what>(whats, name); }
std::optional<export_format> export_format_of(std::string_view name) { return read<export_format>(formats, name); }

caf::expected<export_question> read_export_question(std::string_view body) {
  auto given = question_words_of(body);
  if (!given)
    return given.error();
  std::string what;
  given->text("what", what);
  const auto known = export_what_of(what);
  if (!known)
    return make_error(errc::bad_request, "what is records, rollups, users, keys or audit");
  return question_of(*known, std::move(*given));
}

caf::expected<export_question> read_export_question(export_what what,
                                                    const std::vector<std::pair<std::string, std::string>>& query) {
  return question_of(what, question_words_of(query));
}

nlohmann::json to_json(const opened_export& o) {
  return {{"id", o.id},
          {"position", o.position},
          {"content_type", o.content_type},
          {"file_name", o.file_name},
          {"path", "/api/v1/exports/" + o.id}};
}

} // namespace keyportal
