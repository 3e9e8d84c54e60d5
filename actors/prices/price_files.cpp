#include "actors/prices/price_files.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>

#include <nlohmann/json.hpp>

#include "actors/prices/price_rules.hpp"
#include "messages/errors.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

using nlohmann::json;

constexpr std::size_t most_refused_shown = 20;

/// Whoever makes a model sells it at its own price. In this order where two of them have a model of one name.
constexpr std::string_view litellm_makers[] = {"openai",   "anthropic", "gemini",    "xai",
                                               "deepseek", "moonshot",  "dashscope", "zai",
                                               "mistral",  "minimax",   "cohere",    "perplexity"};
constexpr std::string_view models_dev_makers[] = {"openai",     "anthropic", "google",    "xai",     "deepseek",
                                                  "moonshotai", "alibaba",   "zai",       "zhipuai", "mistral",
                                                  "minimax",    "cohere",    "perplexity"};

template <std::size_t N>
std::size_t rank_among(std::string_view name, const std::string_view (&makers)[N]) {
  return static_cast<std::size_t>(std::find(std::begin(makers), std::end(makers), name) - std::begin(makers));
}

/// Dollars, as billionths of one for a million tokens or for one request; nothing for what is no price.
std::optional<std::int64_t> rate(const json& value, double scale) {
  if (!value.is_number())
    return std::nullopt;
  const auto given = value.get<double>() * scale;
  if (!std::isfinite(given) || given < 0 || given > static_cast<double>(highest_rate))
    return std::nullopt;
  return std::llround(given);
}
constexpr double per_token = 1e15;
constexpr double per_million = 1e9;
constexpr double per_request = 1e9;

bool is_free(const price_rates& r) {
  return r.input.value_or(0) == 0 && r.output.value_or(0) == 0 && r.request.value_or(0) == 0;
}

/// Collects what the entries of a file come to; of several prices of one name the one of the lowest rank.
class collected {
public:
  void take(price one, std::size_t rank) {
    auto tidy = tidy_price(std::move(one));
    if (!tidy)
      return;
    const auto id = tidy->id;
    const auto there = found_.find(id);
    if (there == found_.end())
      found_.emplace(id, std::pair{rank, std::move(*tidy)});
    else if (rank < there->second.first)
      there->second = {rank, std::move(*tidy)};
  }
  void refuse(const std::string& name) {
    if (++out_.refused_count <= most_refused_shown)
      out_.refused.push_back(name.substr(0, 100));
  }
  void without_price() { ++out_.without_price; }
  caf::expected<price_list> finish(std::string_view file) {
    if (found_.empty())
      return make_error(errc::file_malformed, std::string{file} + ": no price in it");
    for (auto& [id, one] : found_)
      out_.prices.push_back(std::move(one.second));
    return std::move(out_);
  }

private:
  std::map<std::string, std::pair<std::size_t, price>> found_;
  price_list out_;
};

caf::expected<json> parse(std::string_view text, std::string_view file) {
  auto out = json::parse(text.begin(), text.end(), nullptr, false);
  if (!out.is_object())
    return make_error(errc::file_malformed, std::string{file} + ": no JSON object");
  return out;
}

// --- LiteLLM -----------------------------------------------------------------------------------

struct litellm_field {
  std::string_view name;
  std::optional<std::int64_t> price_rates::*place;
  double scale;
};
constexpr litellm_field litellm_fields[] = {{"input_cost_per_token", &price_rates::input, per_token},
                                            {"output_cost_per_token", &price_rates::output, per_token},
                                            {"cache_read_input_token_cost", &price_rates::cache_read, per_token},
                                            {"cache_creation_input_token_cost", &price_rates::cache_write, per_token},
                                            {"output_cost_per_reasoning_token", &price_rates::reasoning, per_token},
                                            {"input_cost_per_request", &price_rates::request, per_request}};

/// What stands behind the field's name: a tier, and above how many tokens, in either order.
struct litellm_suffix {
  std::string tier;
  std::int64_t above = 0;
};

std::optional<litellm_suffix> suffix_of(std::string_view text) {
  static constexpr std::pair<std::string_view, std::string_view> tiers[] = {
    {"_priority", "priority"}, {"_flex", "flex"}, {"_batches", "batch"}, {"_ultrafast", "ultrafast"}};
  static constexpr std::string_view above = "_above_", tokens = "_tokens";
  litellm_suffix out;
  while (!text.empty()) {
    const auto tier =
      std::find_if(std::begin(tiers), std::end(tiers), [&](const auto& one) { return text.starts_with(one.first); });
    if (tier != std::end(tiers) && out.tier.empty()) {
      out.tier = tier->second;
      text.remove_prefix(tier->first.size());
      continue;
    }
    if (!text.starts_with(above) || out.above > 0)
      return std::nullopt;
    text.remove_prefix(above.size());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.above);
    if (error != std::errc{} || out.above <= 0 || out.above > 1'000'000'000)
      return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with("k")) {
      out.above *= 1000;
      text.remove_prefix(1);
    }
    if (!text.starts_with(tokens)) // "_above_1hr" is of how long a cache lives
      return std::nullopt;
    text.remove_prefix(tokens.size());
  }
  return out;
}

/// Nothing when a price of the entry is none.
std::optional<price> litellm_price(const json& entry) {
  price out;
  std::map<std::pair<std::int64_t, std::string>, price_rates> steps;
  for (const auto& [name, value] : entry.items()) {
    for (const auto& field : litellm_fields) {
      if (!name.starts_with(field.name) || value.is_null())
        continue;
      const auto suffix = suffix_of(std::string_view{name}.substr(field.name.size()));
      if (!suffix)
        continue;
      const auto found = rate(value, field.scale);
      if (!found)
        return std::nullopt;
      auto& rates =
        suffix->tier.empty() && suffix->above == 0 ? out.rates : steps[std::pair{suffix->above, suffix->tier}];
      rates.*(field.place) = found;
    }
  }
  for (auto& [place, rates] : steps)
    out.steps.push_back({place.second, place.first, rates});
  // What only takes something in (embeddings) has no price for what comes out.
  if (out.rates.input && !out.rates.output)
    out.rates.output = 0;
  return out;
}

} // namespace

caf::expected<price_list> read_litellm(std::string_view text) {
  const auto file = parse(text, "LiteLLM's prices");
  if (!file)
    return file.error();
  collected out;
  for (const auto& [name, entry] : file->items()) {
    if (name == "sample_spec" || name == "fallback_generalizations")
      continue;
    auto one = entry.is_object() ? litellm_price(entry) : std::nullopt;
    if (!one) {
      out.refuse(name);
      continue;
    }
    if ((!one->rates.input && !one->rates.request) || is_free(one->rates)) {
      out.without_price();
      continue;
    }
    if (!one->rates.input)
      one->rates.output.reset();
    one->source = price_source::litellm;
    const auto slash = name.find('/');
    const auto seller = slash == std::string::npos ? std::string{} : lower(name.substr(0, slash));
    one->model = slash == std::string::npos ? name : name.substr(slash + 1);
    const auto maker = rank_among(seller, litellm_makers);
    if (!seller.empty() && maker == std::size(litellm_makers))
      one->provider = seller;
    if (!tidy_price(*one))
      out.refuse(name);
    else
      out.take(std::move(*one), seller.empty() ? 0 : 1 + maker);
  }
  return out.finish("LiteLLM's prices");
}

// --- models.dev --------------------------------------------------------------------------------

namespace {

/// False when a price of it is none.
bool read_cost(const json& cost, price_rates& to) {
  static constexpr std::pair<const char*, std::optional<std::int64_t> price_rates::*> fields[] = {
    {"input", &price_rates::input},
    {"output", &price_rates::output},
    {"cache_read", &price_rates::cache_read},
    {"cache_write", &price_rates::cache_write},
    {"reasoning", &price_rates::reasoning}};
  if (!cost.is_object())
    return false;
  for (const auto& [name, place] : fields) {
    const auto value = cost.find(name);
    if (value == cost.end() || value->is_null())
      continue;
    to.*place = rate(*value, per_million);
    if (!(to.*place))
      return false;
  }
  return true;
}

const json& at(const json& from, std::initializer_list<const char*> path) {
  static const json nothing;
  const auto* here = &from;
  for (const char* name : path) {
    if (!here->is_object() || !here->contains(name))
      return nothing;
    here = &(*here)[name];
  }
  return *here;
}

bool add_step(const json& cost, std::string tier, std::int64_t above, price& to) {
  price_step step{std::move(tier), above, {}};
  if (!read_cost(cost, step.rates))
    return false;
  const auto same = [&](const price_step& one) { return one.tier == step.tier && one.above == step.above; };
  if (std::none_of(to.steps.begin(), to.steps.end(), same))
    to.steps.push_back(std::move(step));
  return true;
}

/// The steps above a number of tokens; newer files have them as a list, older ones a single one by its name.
bool add_contexts(const json& cost, const std::string& tier, price& to) {
  bool any = false;
  const auto& tiers = at(cost, {"tiers"});
  for (const auto& one : tiers.is_array() ? tiers : json::array()) {
    const auto& size = at(one, {"tier", "size"});
    if (at(one, {"tier", "type"}) != "context" || !size.is_number_unsigned() || size.get<std::uint64_t>() == 0
        || size.get<std::uint64_t>() > 1'000'000'000)
      continue;
    if (!add_step(one, tier, size.get<std::int64_t>(), to))
      return false;
    any = true;
  }
  const auto& over = at(cost, {"context_over_200k"});
  return any || !over.is_object() || add_step(over, tier, 200'000, to);
}

/// Nothing when a price of the model is none.
std::optional<price> models_dev_price(const json& model) {
  price out;
  const auto& cost = at(model, {"cost"});
  if (!read_cost(cost, out.rates) || !add_contexts(cost, {}, out))
    return std::nullopt;
  const auto& modes = at(model, {"experimental", "modes"});
  if (!modes.is_object())
    return out;
  for (const auto& [name, mode] : modes.items()) {
    const auto& tier = at(mode, {"provider", "body", "service_tier"});
    const auto& other = at(mode, {"cost"});
    if (tier.is_string() && !tier.get_ref<const std::string&>().empty() && other.is_object()
        && (!add_step(other, lower(tier.get<std::string>()), 0, out)
            || !add_contexts(other, lower(tier.get<std::string>()), out)))
      return std::nullopt;
  }
  return out;
}

} // namespace

caf::expected<price_list> read_models_dev(std::string_view text) {
  const auto file = parse(text, "models.dev's prices");
  if (!file)
    return file.error();
  collected out;
  for (const auto& [seller_name, seller] : file->items()) {
    const auto& models = at(seller, {"models"});
    if (!models.is_object())
      continue;
    const auto provider = lower(seller_name);
    const auto maker = rank_among(provider, models_dev_makers);
    for (const auto& [name, model] : models.items()) {
      const auto& cost = at(model, {"cost"});
      if (cost.is_null()) {
        out.without_price();
        continue;
      }
      auto one = models_dev_price(model);
      if (!one) {
        out.refuse(seller_name + "/" + name);
        continue;
      }
      if (!one->rates.input || !one->rates.output || is_free(one->rates)) {
        out.without_price();
        continue;
      }
      one->source = price_source::models_dev;
      one->model = name;
      if (maker == std::size(models_dev_makers))
        one->provider = provider;
      if (!tidy_price(*one))
        out.refuse(seller_name + "/" + name);
      else
        out.take(std::move(*one), maker);
    }
  }
  return out.finish("models.dev's prices");
}

} // namespace keyportal
