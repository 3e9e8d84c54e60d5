#include "messages/price_json.hpp"

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

#include "messages/timestamp.hpp"

namespace keyportal {

namespace {

using nlohmann::json;

constexpr std::string_view sources[] = {"", "by_hand", "imported", "litellm", "models_dev"};

struct rate_field {
  const char* name;
  std::optional<std::int64_t> price_rates::*place;
};
constexpr rate_field rate_fields[] = {{"input", &price_rates::input},
                                      {"output", &price_rates::output},
                                      {"cache_read", &price_rates::cache_read},
                                      {"cache_write", &price_rates::cache_write},
                                      {"reasoning", &price_rates::reasoning},
                                      {"request", &price_rates::request},
                                      {"multiplier_ppm", &price_rates::multiplier_ppm}};

json time_or_null(const std::optional<moment>& at) { return at ? json(to_rfc3339_ms(*at)) : json(nullptr); }

caf::error wrong(const std::string& field) { return make_error(errc::bad_request, field); }

std::optional<std::int64_t> whole(const json& value) {
  if (!value.is_number_integer() || (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX))
    return std::nullopt;
  return value.get<std::int64_t>();
}

caf::error read(const json& from, const std::string& where, price_rates& to) {
  if (!from.is_object())
    return wrong(where);
  for (const auto& [name, value] : from.items()) {
    const auto field = std::find_if(std::begin(rate_fields), std::end(rate_fields),
                                    [&, &known = name](const rate_field& f) { return known == f.name; });
    const auto number = whole(value);
    if (field == std::end(rate_fields) || !number)
      return wrong(where + "." + name.substr(0, 60));
    to.*(field->place) = number;
  }
  return {};
}

bool read(const json& value, std::optional<moment>& to) {
  if (value.is_null())
    return true;
  const auto at = value.is_string() ? parse_rfc3339(value.get<std::string>()) : std::nullopt;
  if (at)
    to = moment_of(at->unix_ns);
  return at.has_value();
}

caf::error read(const json& from, price_step& to) {
  if (!from.is_object())
    return wrong("steps");
  for (const auto& [name, value] : from.items()) {
    const auto number = whole(value);
    if (name == "tier" && value.is_string())
      to.tier = value.get<std::string>();
    else if (name == "above" && number)
      to.above = *number;
    else if (name == "rates") {
      if (auto refused = read(value, "steps.rates", to.rates))
        return refused;
    } else
      return wrong("steps." + name.substr(0, 60));
  }
  return {};
}

} // namespace

std::string_view to_text(price_source s) {
  const auto at = static_cast<std::size_t>(s);
  return at < std::size(sources) ? sources[at] : "unknown";
}

std::optional<price_source> price_source_of(std::string_view text) {
  const auto found = std::find(std::begin(sources), std::end(sources), text);
  return found == std::end(sources) || text.empty()
           ? std::nullopt
           : std::optional{static_cast<price_source>(found - std::begin(sources))};
}

json to_json(const price_rates& r) {
  auto out = json::object();
  for (const auto& field : rate_fields)
    if (r.*(field.place))
      out[field.name] = *(r.*(field.place));
  return out;
}

json to_json(const price& p) {
  auto steps = json::array();
  for (const auto& step : p.steps)
    steps.push_back({{"tier", step.tier}, {"above", step.above}, {"rates", to_json(step.rates)}});
  return {{"id", p.id},
          {"model", p.model},
          {"provider", p.provider},
          {"from", time_or_null(p.from)},
          {"until", time_or_null(p.until)},
          {"source", to_text(p.source)},
          {"rates", to_json(p.rates)},
          {"steps", std::move(steps)},
          {"set_at", to_rfc3339_ms(p.set_at)}};
}

json to_json(const unpriced_model& m) {
  return {{"model", m.model},   {"provider", m.provider},   {"requests", m.requests},
          {"tokens", m.tokens}, {"first_day", m.first_day}, {"last_day", m.last_day}};
}

json to_json(const reprice_state& s) {
  return {{"running", s.running},
          {"dry_run", s.what.dry_run},
          {"from", time_or_null(s.what.from)},
          {"to", time_or_null(s.what.to)},
          {"node", s.node},
          {"at", time_or_null(s.at)},
          {"records", s.records},
          {"changed", s.changed},
          {"cost_before", s.cost_before},
          {"cost_after", s.cost_after},
          {"unpriced_before", s.unpriced_before},
          {"unpriced_after", s.unpriced_after},
          {"problem", s.problem}};
}

caf::expected<price> price_from(const json& from) {
  if (!from.is_object())
    return wrong("a price is an object");
  price out;
  for (const auto& [name, value] : from.items()) {
    if (name == "model" && value.is_string()) {
      out.model = value.get<std::string>();
    } else if (name == "provider" && value.is_string()) {
      out.provider = value.get<std::string>();
    } else if (name == "from" || name == "until") {
      if (!read(value, name == "from" ? out.from : out.until))
        return wrong(name);
    } else if (name == "source" && value.is_string()) {
      const auto source = price_source_of(value.get<std::string>());
      if (!source)
        return wrong(name);
      out.source = *source;
    } else if (name == "rates") {
      if (auto refused = read(value, name, out.rates))
        return refused;
    } else if (name == "steps" && value.is_array()) {
      for (const auto& step : value)
        if (auto refused = read(step, out.steps.emplace_back()))
          return refused;
    } else if (name != "id" && name != "set_at") {
      return wrong(name.substr(0, 60));
    }
  }
  return out;
}

} // namespace keyportal
