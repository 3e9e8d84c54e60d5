#include "gateway/registry_answers.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "gateway/handlers.hpp"
#include "messages/price_json.hpp"
#include "messages/registry_json.hpp"

namespace keyportal::gateway {

namespace {

nlohmann::json about_done(const command_done& done) {
  return {{"position", done.position}, {"replayed", done.replayed}};
}

template <class T>
nlohmann::json list_of(const std::vector<T>& values) {
  auto items = nlohmann::json::array();
  for (const auto& value : values)
    items.push_back(to_json(value));
  return items;
}

template <class Changes, class Id>
bool changes(const Changes& all, std::string_view id, Id id_of) {
  return std::any_of(all.begin(), all.end(), [&](const auto& one) {
    return (one.after && id_of(*one.after) == id) || (one.before && id_of(*one.before) == id);
  });
}

} // namespace

http_response done_answer(const command_done& done, int status) {
  auto body = about_done(done);
  body["users"] = list_of(done.users);
  body["keys"] = list_of(done.keys);
  if (!done.shown.empty())
    body["key"] = done.shown.front().reveal();
  auto out = json_answer(body, status);
  if (!done.shown.empty())
    out.headers.emplace_back("Cache-Control", "no-store");
  return out;
}

http_response import_answer(const command_done& done) {
  auto body = about_done(done);
  body["added"] = done.keys.size();
  body["skipped"] = done.skipped;
  return json_answer(body);
}

http_response made_answer(const command_done& done) {
  auto body = about_done(done);
  body["made"] = done.keys.size();
  return json_answer(body, 201);
}

http_response prices_done_answer(const command_done& done) {
  auto body = about_done(done);
  body["changed"] = done.prices;
  return json_answer(body);
}

http_response prices_answer(const price_page& page) {
  return json_answer({{"items", list_of(page.prices)}, {"more", page.more}});
}

http_response users_answer(const user_page& page) {
  return json_answer({{"items", list_of(page.users)}, {"more", page.more}});
}

http_response keys_answer_of(const key_page& page) {
  return json_answer({{"items", list_of(page.keys)}, {"more", page.more}});
}

http_response config_answer(const std::shared_ptr<const std::string>& text) {
  http_response out;
  out.content_type = "application/yaml";
  out.headers.emplace_back("Cache-Control", "no-store");
  if (text)
    out.body = text;
  return out;
}

bool fits(const audit_filter& filter, const registry_entry& entry) {
  if (!filter.what.empty() && entry.what != filter.what
      && !(filter.what.ends_with('.') && entry.what.starts_with(filter.what)))
    return false;
  return filter.about.empty() || changes(entry.users, filter.about, [](const user& u) { return u.id; })
         || changes(entry.keys, filter.about, [](const client_key& k) { return k.id; })
         || changes(entry.policies, filter.about, [](const policy& p) { return p.name; })
         || changes(entry.prices, filter.about, [](const price& p) { return p.id; })
         || changes(entry.access, filter.about, [](const access_record& c) { return c.owner; });
}

std::size_t size_of(const registry_entry& entry) {
  return 1 + entry.users.size() + entry.keys.size() + entry.policies.size() + entry.prices.size() + entry.access.size();
}

} // namespace keyportal::gateway
