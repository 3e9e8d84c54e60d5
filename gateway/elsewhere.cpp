#include "gateway/elsewhere.hpp"

#include <algorithm>

#include "gateway/handlers.hpp"
#include "gateway/visit.hpp"

namespace keyportal::gateway {

std::string duty_of(const question& asked) {
  const auto about = asked.row->about;
  if (is_about_accounts(about))
    return "accounts";
  if (is_about_notices(about))
    return "notices";
  switch (about) {
    case topic::original_accounts:
    case topic::original_auth_url:
    case topic::original_submit_callback: return "accounts";
    case topic::begin_external:
    case topic::finish_external:
    case topic::begin_totp:
    case topic::finish_totp:
    case topic::registration: return "sign-in";
    case topic::queue:
    case topic::replay_letters:
    case topic::snapshots:
    case topic::snapshot:
    case topic::export_file:
    case topic::make_snapshot:
    case topic::import_file:
    case topic::restore:
    case topic::node_keys:
    case topic::configs:
    case topic::config:
    case topic::restore_config: return "node/" + asked.node;
    default: return {};
  }
}

bool goes_elsewhere(const visit& here) {
  const auto& hooks = here.self->state.hooks;
  if (!hooks.forward)
    return false;
  const auto& headers = here.exchange->request.headers;
  if (std::any_of(headers.begin(), headers.end(), [](const auto& one) { return one.first == "x-keyportal-forwarded"; }))
    return false; // it was sent to us because we see to it, or did a moment ago
  auto duty = duty_of(here.asked);
  if (duty.empty() || hooks.sees_to(duty))
    return false;
  hooks.forward(std::move(duty), here.exchange->request, here.by->who.kind == caller_kind::control,
                [exchange = here.exchange](http_response response) { exchange->reply(std::move(response)); });
  return true;
}

void about_cluster(const visit& here) {
  const auto& hooks = here.self->state.hooks;
  const auto& ask = here.asked.row->about == topic::cluster ? hooks.cluster_state : hooks.cluster_compared;
  if (!ask)
    return here.fail(make_error(errc::cluster_off));
  ask([exchange = here.exchange](caf::expected<std::string> json) {
    if (!json)
      return exchange->reply(problem(json.error()));
    http_response out;
    out.body = std::make_shared<const std::string>(std::move(*json));
    exchange->reply(std::move(out));
  });
}

} // namespace keyportal::gateway
