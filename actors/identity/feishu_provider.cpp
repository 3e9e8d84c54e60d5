#include "actors/identity/feishu_provider.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "actors/identity/provider_answers.hpp"
#include "actors/identity/text_codes.hpp"
#include "actors/key_registry/registry_text.hpp"

namespace keyportal::identity {

namespace {

using nlohmann::json;

/// `code`, which is 0 where all is well; nothing where there is none.
std::optional<std::int64_t> code_in(const json& answer) {
  const auto found = answer.find("code");
  return found != answer.end() && found->is_number_integer() ? std::optional(found->get<std::int64_t>()) : std::nullopt;
}

/// Errors come in two styles, by the status and by a code in an answer with status 200; either will do.
caf::error error_in(const http_answer& answer, const json& object, const provider_settings& at, std::string_view what) {
  const auto code = code_in(object);
  const auto oauth = text_at(object, "error");
  if (answer.status == 200 && code.value_or(0) == 0 && oauth.empty())
    return {};
  if (code && *code != 0)
    return problem(feishu_meaning(*code), at, fmt::format("{}: code {}", what, *code));
  if (!oauth.empty())
    return problem(meaning_of(oauth), at, fmt::format("{}: {}", what, shown(oauth)));
  return problem(errc::provider_failed, at, fmt::format("{}: status {}", what, answer.status));
}

std::string scopes_of(const provider_settings& s) {
  std::string out;
  for (const auto& scope : s.scopes)
    out += (out.empty() ? "" : " ") + scope;
  return out;
}

class departure : public conversation<std::string> {
public:
  explicit departure(std::string address) : address_(std::move(address)) {}
  next_step<std::string> begin(moment) override { return {address_}; }
  next_step<std::string> answered(caf::expected<http_answer>, moment) override {
    return make_error(errc::internal, "an answer to nothing");
  }

private:
  std::string address_;
};

/// From the callback to who is there: the code, then who has given it.
class arrival : public conversation<external_identity> {
public:
  using step = next_step<external_identity>;

  arrival(const provider_settings& s, login_attempt attempt, callback back, std::string redirect_uri)
    : settings_(s), attempt_(std::move(attempt)), back_(std::move(back)), redirect_uri_(std::move(redirect_uri)),
      at_(addresses_of(s)) {}

  step begin(moment) override {
    if (!back_.error.empty())
      return callback_error(back_, settings_);
    if (!is_token(back_.code))
      return problem(errc::provider_answer_wrong, settings_, "the browser came back without a code");
    const auto &code = back_.code, &verifier = attempt_.verifier.reveal(), &shared = settings_.client_secret.reveal();
    http_call call{at_.token_url, {}, {}, {}};
    if (at_.token_as_json) {
      call.content_type = "application/json; charset=utf-8";
      call.body = secret{json{
        {"grant_type", "authorization_code"},
        {"client_id", settings_.client_id},
        {"client_secret", shared},
        {"code", code},
        {"redirect_uri", redirect_uri_},
        {"code_verifier",
         verifier}}.dump(-1, ' ', false, json::error_handler_t::replace)};
    } else {
      call.content_type = "application/x-www-form-urlencoded";
      call.body = secret{form_of({{"grant_type", "authorization_code"},
                                  {"client_id", settings_.client_id},
                                  {"client_secret", shared},
                                  {"code", code},
                                  {"redirect_uri", redirect_uri_},
                                  {"code_verifier", verifier}})};
    }
    asked_ = asked::code;
    return {std::move(call)};
  }

  step answered(caf::expected<http_answer> answer, moment) override {
    const auto now_asked = std::exchange(asked_, asked::nothing);
    if (now_asked == asked::nothing)
      return make_error(errc::internal, "an answer to nothing");
    if (!answer)
      return no_answer(answer.error(), settings_);
    const auto* what = now_asked == asked::code ? "exchange of the code" : "asking for the person";
    const auto object = object_of(*answer, settings_, what);
    if (!object)
      return object.error();
    if (auto error = error_in(*answer, *object, settings_, what))
      return error;
    return now_asked == asked::code ? take_token(*object) : take_person(*object);
  }

private:
  enum class asked { nothing, code, person };

  step take_token(const json& answer) {
    const auto token = text_at(answer, "access_token");
    if (!is_token(token))
      return problem(errc::provider_answer_wrong, settings_, "exchange of the code: no access_token");
    asked_ = asked::person;
    return {http_call{at_.user_info_url, {}, {}, secret{"Bearer " + token}}};
  }

  step take_person(const json& answer) const {
    const auto found = answer.find("data");
    if (found == answer.end() || !found->is_object())
      return problem(errc::provider_answer_wrong, settings_, "asking for the person: no data");
    external_identity who;
    who.provider = settings_.name;
    who.issuer = settings_.kind;
    who.subject =
      text_at(*found, "union_id"); // of one person the same in all apps of one maker; open_id only in this one
    if (who.subject.empty())
      who.subject = text_at(*found, "open_id");
    who.tenant = text_at(*found, "tenant_key");
    if (!is_token(who.subject) || who.subject.size() > 255)
      return problem(errc::provider_answer_wrong, settings_, "asking for the person: neither union_id nor open_id");
    if (who.tenant.empty()
        || std::find(settings_.tenants.begin(), settings_.tenants.end(), who.tenant) == settings_.tenants.end())
      return problem(errc::identity_not_allowed, settings_, "");
    for (const auto* name : {"name", "en_name"})
      if (auto tidy = tidy_name("name", text_at(*found, name), false); tidy && who.name.empty())
        who.name = std::move(*tidy);
    for (const auto* email : {"enterprise_email", "email"})
      if (auto tidy = tidy_email(text_at(*found, email)); tidy && who.email.empty())
        who.email = std::move(*tidy);
    return {std::move(who)};
  }

  const provider_settings& settings_;
  login_attempt attempt_;
  callback back_;
  std::string redirect_uri_;
  feishu_addresses at_;
  asked asked_ = asked::nothing;
};

} // namespace

feishu_addresses addresses_of(const provider_settings& s) {
  const bool lark = s.kind == "lark";
  const std::string open = lark ? "https://open.larksuite.com/open-apis" : "https://open.feishu.cn/open-apis";
  const std::string accounts = lark ? "https://accounts.larksuite.com" : "https://accounts.feishu.cn";
  feishu_addresses out{accounts + "/open-apis/authen/v1/authorize",
                       lark ? open + "/authen/v2/oauth/token" : accounts + "/oauth/v3/token",
                       open + "/authen/v1/user_info", lark};
  if (!s.authorize_url.empty())
    out.authorize_url = s.authorize_url;
  if (!s.token_url.empty())
    out.token_url = s.token_url;
  if (!s.user_info_url.empty())
    out.user_info_url = s.user_info_url;
  if (s.token_encoding == "json" || s.token_encoding == "form")
    out.token_as_json = s.token_encoding == "json";
  return out;
}

errc feishu_meaning(std::int64_t code) {
  switch (code) {
    case 20003: // used, or never given
    case 20065:
    case 20004: // expired
    case 20024: // of another client
    case 20049: // PKCE
      return errc::sign_in_code_refused;
    case 20010: // the app is not for this person
      return errc::identity_not_allowed;
    case 20002: // secret
    case 20027: // scope
    case 20063: // a field is missing
    case 20067:
    case 20068:    // how scopes are written
    case 20070:    // two ways of authentication
    case 20071:    // redirect address
    case 99991672: // scopes of the app
    case 99991679: // scopes that the person gave
      return errc::provider_refuses_us;
    default: return errc::provider_failed; // 20050, 20072 and what is not known
  }
}

std::unique_ptr<conversation<std::string>> feishu_provider::authorize(const login_attempt& attempt,
                                                                      std::string redirect_uri) {
  return std::make_unique<departure>(
    with_query(addresses_of(settings()).authorize_url, {{"client_id", settings().client_id},
                                                        {"response_type", "code"},
                                                        {"redirect_uri", redirect_uri},
                                                        {"scope", scopes_of(settings())},
                                                        {"state", attempt.state.reveal()},
                                                        {"code_challenge", challenge_of(attempt.verifier)},
                                                        {"code_challenge_method", "S256"}})); // the default is plain
}

std::unique_ptr<conversation<external_identity>> feishu_provider::identify(login_attempt attempt, callback back,
                                                                           std::string redirect_uri) {
  return std::make_unique<arrival>(settings(), std::move(attempt), std::move(back), std::move(redirect_uri));
}

} // namespace keyportal::identity
