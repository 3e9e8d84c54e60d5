#include "gateway/store_routes.hpp"

#include <nlohmann/json.hpp>

#include "gateway/handlers.hpp"
#include "messages/store_json.hpp"

namespace keyportal::gateway {

namespace {

using nlohmann::json;

/// An object with nothing but these fields; none for an empty body.
caf::expected<json> read_body(const visit& here, std::initializer_list<const char*> fields) {
  const auto& body = here.exchange->request.body;
  if (body.empty())
    return json::object();
  auto given = json::parse(body, nullptr, false);
  if (!given.is_object())
    return make_error(errc::bad_request, "the body is a JSON object, or nothing");
  for (const auto& [name, value] : given.items())
    if (std::find(fields.begin(), fields.end(), name) == fields.end())
      return make_error(errc::bad_request, "unknown: " + name.substr(0, 40));
  return given;
}

caf::expected<bool> flag(const json& given, const char* name) {
  if (!given.contains(name))
    return false;
  if (!given[name].is_boolean())
    return make_error(errc::bad_request, std::string{name} + " is true or false");
  return given[name].get<bool>();
}

/// What was begun goes on by itself: the state says how far it is.
template <class Message>
void begin(const visit& here, Message what) {
  here.relay<backup_state>(here.self->state.handles.backups, std::move(what), short_wait,
                           [](const question&, const backup_state& now) { return json_answer(to_json(now), 202); });
}

void list(const visit& here) {
  const auto whom = here.self->state.handles.backups;
  here.ask<backup_state>(whom, read_backup_state{}, short_wait, [here, whom](const backup_state& now) {
    if (!now.configured)
      return here.answer(json_answer({{"state", to_json(now)}, {"items", json::array()}}));
    here.ask<std::vector<backup_info>>(
      whom, list_backups{}, file_wait, [here, now](const std::vector<backup_info>& all) {
        auto items = json::array();
        for (const auto& one : all)
          items.push_back(to_json(one));
        here.answer(json_answer({{"state", to_json(now)}, {"items", std::move(items)}}));
      });
  });
}

} // namespace

void about_store(const visit& here) {
  const auto& handles = here.self->state.handles;
  const auto shown = [](const question&, const retention_state& now) { return json_answer(to_json(now)); };
  switch (here.asked.row->about) {
    case topic::backups: return list(here);
    case topic::make_backup: {
      const auto given = read_body(here, {"full"});
      if (!given)
        return here.fail(given.error());
      const auto full = flag(*given, "full");
      return full ? begin(here, make_backup{*full}) : here.fail(full.error());
    }
    case topic::verify_backups: {
      const auto given = read_body(here, {"id", "restore"});
      if (!given)
        return here.fail(given.error());
      const auto restore = flag(*given, "restore");
      if (!restore)
        return here.fail(restore.error());
      verify_backups what;
      what.restore = *restore;
      if (given->contains("id")) {
        if (!(*given)["id"].is_string())
          return here.fail(make_error(errc::bad_request, "id is a text"));
        what.id = (*given)["id"];
      }
      return begin(here, std::move(what));
    }
    case topic::prune_backups: return begin(here, prune_backups{});
    case topic::retention:
      return here.relay<retention_state>(handles.retention, read_retention_state{}, file_wait, shown);
    default: return here.relay<retention_state>(handles.retention, run_retention{}, file_wait, shown);
  }
}

} // namespace keyportal::gateway
