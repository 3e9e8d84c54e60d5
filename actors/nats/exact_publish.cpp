#include "actors/nats/exact_publish.hpp"

#include <nlohmann/json.hpp>

namespace keyportal::nats {
namespace {

using kind = publish_answer::kind;

// Of the server's list of errors.
constexpr int wrong_last_sequence = 10071;
constexpr int duplicate_in_process = 10158;

publish_answer read_answer(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object())
    return {kind::unknown, 0, false, "an answer that is not understood"};
  if (const auto error = json.find("error"); error != json.end()) {
    if (!error->is_object())
      return {kind::unknown, 0, false, "an answer that is not understood"};
    const auto code = error->value("err_code", 0);
    auto said = error->value("description", std::string("no reason was given"));
    if (code == wrong_last_sequence)
      return {kind::unexpected, 0, false, std::move(said)};
    // What failed inside the server may have been proposed to the others by then.
    const bool may_come = code == duplicate_in_process || error->value("code", 0) >= 500;
    return {may_come ? kind::unknown : kind::refused, 0, false, std::move(said)};
  }
  const auto sequence = json.find("seq");
  if (sequence == json.end() || !sequence->is_number_unsigned() || *sequence == 0)
    return {kind::unknown, 0, false, "an answer without a sequence"};
  const auto duplicate = json.find("duplicate");
  return {kind::stored, sequence->get<std::uint64_t>(), duplicate != json.end() && *duplicate == true};
}

} // namespace

caf::error open_session(session& out, const server_settings& server, std::chrono::milliseconds each) {
  out.close();
  auto options = make_options(server);
  if (!options)
    return options.error();
  natsOptions_SetAllowReconnect(options->get(), false); // it would send what we gave up
  natsOptions_SetTimeout(options->get(), each.count());
  natsOptions_SetWriteDeadline(options->get(), 1000);
  natsOptions_SetPingInterval(options->get(), 1000);
  connection fresh;
  if (const auto status = natsConnection_Connect(nats::out(fresh), options->get()); status != NATS_OK)
    return to_error(status, "connecting to " + without_credentials(server.url.reveal()));
  jsOptions js_options;
  jsOptions_Init(&js_options);
  js_options.Wait = 1500;
  context js;
  if (const auto status = natsConnection_JetStream(nats::out(js), fresh.get(), &js_options); status != NATS_OK)
    return to_error(status, "asking for JetStream");
  out.link = std::move(fresh);
  out.js = std::move(js);
  return {};
}

publish_answer publish_exactly(natsConnection* link, const std::string& subject, std::string_view body,
                               const std::vector<std::pair<std::string, std::string>>& headers,
                               std::chrono::milliseconds within) {
  raw_message message;
  auto status = natsMsg_Create(out(message), subject.c_str(), nullptr, body.data(), static_cast<int>(body.size()));
  for (const auto& [name, value] : headers)
    if (status == NATS_OK)
      status = natsMsgHeader_Set(message.get(), name.c_str(), value.c_str());
  if (status != NATS_OK)
    return {kind::refused, 0, false, natsStatus_GetText(status)};
  raw_message reply;
  status = natsConnection_RequestMsg(out(reply), link, message.get(), within.count());
  if (status == NATS_NO_RESPONDERS)
    return {kind::absent, 0, false, "no stream has a leader that takes the message"};
  if (status == NATS_TIMEOUT)
    return {kind::unknown, 0, false, "no answer in time: most of the stream's servers may be away"};
  if (status != NATS_OK)
    return {kind::unknown, 0, false, natsStatus_GetText(status)};
  return read_answer({natsMsg_GetData(reply.get()), static_cast<std::size_t>(natsMsg_GetDataLength(reply.get()))});
}

} // namespace keyportal::nats
