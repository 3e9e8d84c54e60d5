// Prices as JSON: in answers, bodies and the audit.
#pragma once

#include <optional>
#include <string_view>

#include <caf/expected.hpp>
#include <nlohmann/json_fwd.hpp>

#include "messages/actors.hpp"

namespace keyportal {

std::string_view to_text(price_source s); // by_hand, imported, litellm, models_dev
std::optional<price_source> price_source_of(std::string_view text);

// A table: what each has in it.
// clang-format off
nlohmann::json to_json(const price_rates& r);   // those that are set of input, output, cache_read, cache_write, reasoning, request, multiplier_ppm
nlohmann::json to_json(const price& p);         // id, model, provider, from|null, until|null, source, rates{…}, steps[{tier, above, rates{…}}], set_at
nlohmann::json to_json(const unpriced_model& m); // model, provider, requests, tokens, first_day, last_day
nlohmann::json to_json(const reprice_state& s); // running, dry_run, from|null, to|null, node, at|null, records, changed, cost_before, cost_after, unpriced_before, unpriced_after, problem
// clang-format on

/// `id` and `set_at` are not looked at. bad_request with the field's name when something is missing, unknown, of
/// another type or out of range.
caf::expected<price> price_from(const nlohmann::json& json);

} // namespace keyportal
