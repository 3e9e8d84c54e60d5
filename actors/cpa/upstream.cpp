#include "actors/cpa/upstream.hpp"

namespace keyportal {

namespace {

/// The answer of a client call as the answer to a message.
template <class T>
caf::result<T> pass(caf::expected<T> answer) {
  if (!answer)
    return std::move(answer.error());
  return std::move(*answer);
}

} // namespace

upstream_actor::behavior_type upstream(upstream_actor::stateful_pointer<upstream_state>,
                                       std::shared_ptr<cpa::management_client> client) {
  return {
    [client](const fetch_usage&) { return pass(client->usage()); },
    [client](const import_usage& m) { return pass(client->import_usage(*m.body)); },
    [client](const find_era&) { return pass(client->find_era()); },
    [client](const fetch_accounts&) { return pass(client->accounts()); },
    [client](const pop_queue& m) { return pass(client->pop_queue(m.count)); },
    [client](const mend_settings& m) { return pass(client->mend(m)); },
    [client](const probe&) { return pass(client->probe()); },
  };
}

} // namespace keyportal
