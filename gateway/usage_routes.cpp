#include "gateway/usage_routes.hpp"

#include <nlohmann/json.hpp>

#include "gateway/handlers.hpp"
#include "gateway/registry_bodies.hpp"
#include "messages/usage_json.hpp"

namespace keyportal::gateway {

namespace {

/// A question is the same in the address as in a body.
template <class Read>
auto read_with(const visit& here, Read read) {
  const auto& request = here.exchange->request;
  return request.method == "POST" ? read(std::string_view{request.body}) : read(request.query);
}

} // namespace

void about_usage(const visit& here) {
  const auto& analyst = here.self->state.handles.analyst;
  if (here.asked.row->about == topic::usage) {
    auto question = read_with(here, [](const auto& given) { return read_usage_question(given); });
    if (!question)
      return here.fail(question.error());
    return here.relay<std::shared_ptr<const usage_report>>(
      analyst, std::move(*question), file_wait,
      [](const gateway::question&, const auto& report) { return json_answer(to_json(*report)); });
  }
  auto question = read_with(here, [](const auto& given) { return read_record_question(given); });
  if (!question)
    return here.fail(question.error());
  here.relay<std::shared_ptr<const record_page>>(
    analyst, std::move(*question), file_wait,
    [](const gateway::question&, const auto& page) { return json_answer(to_json(*page)); });
}

void about_ledger_check(const visit& here) {
  const auto& checker = here.self->state.handles.checker;
  if (here.asked.row->about == topic::ledger_check)
    return here.relay<ledger_check>(
      checker, read_ledger_check{}, file_wait,
      [](const gateway::question&, const ledger_check& now) { return json_answer(to_json(now)); });
  const auto mends = read_mend(here.exchange->request.body);
  if (!mends)
    return here.fail(mends.error());
  here.relay<ledger_check>(
    checker, check_ledger{*mends}, file_wait,
    [](const gateway::question&, const ledger_check& now) { return json_answer(to_json(now), 202); });
}

} // namespace keyportal::gateway
