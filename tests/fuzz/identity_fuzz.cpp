// What a place to sign in at, or somebody in its stead, may send: tokens, keys, discovery, answers. Nobody is anybody
// without the one signature, and no secret goes to an address that may not be asked.
#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "actors/identity/discovery.hpp"
#include "actors/identity/feishu_provider.hpp"
#include "actors/identity/id_token.hpp"
#include "actors/identity/oidc_provider.hpp"
#include "actors/identity/text_codes.hpp"
#include "messages/errors.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace keyportal;
using namespace keyportal::identity;

namespace {

// The key of RFC 8037, appendix A. One token of it is in the corpus: what it signs is all that may ever be taken.
constexpr std::string_view key_set =
  R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";
constexpr std::string_view signed_head = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ";
constexpr std::string_view nonce = "n-of-this-sign-in-0123456789abcdefghijklmno";
const moment now = moment{} + std::chrono::seconds{1'800'000'000};

provider_settings settings_of(const char* kind) {
  provider_settings out;
  out.name = "company";
  out.kind = kind;
  out.client_id = "client";
  out.client_secret = secret{"the-client-secret"};
  if (out.kind == "oidc")
    out.issuer = "https://id.example.com";
  else
    out.tenants = {"tenant-1"};
  return out;
}

login_attempt attempt() {
  login_attempt out;
  out.provider = "company";
  out.state = secret{"state-0123456789abcdefghijklmnopqrstuvwxyz01"};
  out.nonce = secret{std::string(nonce)};
  out.verifier = secret{"verifier-0123456789abcdefghijklmnopqrstuvw"};
  out.return_to = "/";
  out.began_at = now;
  return out;
}

http_answer answer_of(std::string_view part) {
  http_answer out{200, "application/json", {}};
  // "404 text/html" on a line of its own stands for another status and type.
  if (part.size() > 4 && part[0] >= '1' && part[0] <= '5' && part[3] == ' ') {
    const auto end = std::min(part.find('\n'), part.size());
    out.status = std::strtol(std::string(part.substr(0, 3)).c_str(), nullptr, 10);
    out.content_type = part.substr(4, end - 4);
    part.remove_prefix(std::min(end + 1, part.size()));
  }
  out.body = part;
  return out;
}

void check_error(const caf::error& error) {
  must(code_of(error) != errc::internal, "what is wrong at the other place is no mistake of ours");
  must(about_of(error).size() < 2000, "and told in few words");
  must(about_of(error).find("the-client-secret") == std::string::npos, "without our secret");
}

void check_call(const http_call& call) {
  must(check_provider_url(call.url).empty(), "only what may be asked is asked");
  must(call.authorization.reveal().find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
       "a header is one line");
}

/// The answers one after the other, as long as it asks.
template <class Result>
caf::expected<Result> conversed(conversation<Result>& with, const std::vector<std::string_view>& answers,
                                std::size_t& next) {
  auto step = with.begin(now);
  for (int calls = 0;; ++calls) {
    must(calls < 10, "a conversation ends");
    if (!step) {
      check_error(step.error());
      return step.error();
    }
    if (auto* result = std::get_if<Result>(&*step))
      return std::move(*result);
    check_call(std::get<http_call>(*step));
    step =
      with.answered(next < answers.size() ? caf::expected<http_answer>{answer_of(answers[next++])}
                                          : caf::expected<http_answer>{make_error(errc::provider_unreachable, "gone")},
                    now);
  }
}

void try_token(std::string_view token) {
  static const auto keys = *signing_keys::read(key_set);
  const auto read = read_id_token(token, keys, {"https://id.example.com", "client", std::string(nonce), now});
  if (!read)
    return check_error(read.error());
  must(read->subject == "user-1" && token.starts_with(signed_head), "only what was signed is taken");
}

void try_keys(std::string_view text) {
  const auto keys = signing_keys::read(text);
  if (!keys)
    return check_error(keys.error());
  must(keys->size() <= 100, "keys are bounded");
  for (const auto* algorithm : {"RS256", "PS256", "ES256", "ES384", "EdDSA", "none", "HS256"})
    must(keys->check(algorithm, std::nullopt, "text", std::string(64, '\1')) != signing_keys::verdict::genuine,
         "what nobody signed is not genuine");
}

void try_discovery(std::string_view text) {
  const auto settings = settings_of("oidc");
  const auto read = read_discovery(answer_of(text), settings);
  if (!read)
    return check_error(read.error());
  for (const auto* url : {&read->authorize_url, &read->token_url, &read->keys_url}) {
    bool here = false;
    must(check_provider_url(*url, &here).empty() && !here, "addresses are safe to ask, and not of this machine");
  }
}

void try_oidc(std::string_view text) {
  const auto answers = parts_of(text);
  oidc_provider at(settings_of("oidc"));
  std::size_t next = 0;
  const auto leaving = at.authorize(attempt(), "https://keys.example.com/back");
  const auto there = conversed(*leaving, answers, next);
  if (there)
    must(there->starts_with("https://") && there->find("code_challenge_method=S256") != std::string::npos,
         "the browser is sent away with PKCE");
  const auto coming = at.identify(attempt(), {"the-code", attempt().state.reveal(), "", "https://id.example.com"},
                                  "https://keys.example.com/back");
  const auto who = conversed(*coming, answers, next);
  if (who)
    must(who->issuer == "https://id.example.com" && !who->subject.empty() && who->subject.size() <= 255,
         "whoever comes is somebody of this issuer");
}

void try_feishu(std::string_view text, const char* kind) {
  feishu_provider at(settings_of(kind));
  std::size_t next = 0;
  const auto coming =
    at.identify(attempt(), {"the-code", attempt().state.reveal(), "", ""}, "https://keys.example.com/b");
  const auto who = conversed(*coming, parts_of(text), next);
  if (who)
    must(who->tenant == "tenant-1" && !who->subject.empty() && who->subject.size() <= 255 && !who->email_verified,
         "whoever comes is of the organisation, and no address is vouched for");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text{reinterpret_cast<const char*>(data), size};
  switch (choice(text, 7)) {
    case 0: try_token(text); break;
    case 1: try_keys(text); break;
    case 2: try_discovery(text); break;
    case 3:
      if (const auto read = read_person(text))
        must(!read->subject.empty() && read->subject.size() <= 255, "somebody is meant");
      break;
    case 4: try_oidc(text); break;
    case 5: try_feishu(text, "feishu"); break;
    default: try_feishu(text, "lark"); break;
  }
  return 0;
}
