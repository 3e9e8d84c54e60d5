#include "actors/identity/oidc_provider.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/identity/id_token.hpp"
#include "actors/identity/provider_answers.hpp"
#include "actors/identity/text_codes.hpp"

namespace keyportal::identity {

namespace {

constexpr std::chrono::hours kept_for{1};
constexpr std::chrono::minutes again_window{1};
constexpr std::size_t again_limit = 5;

std::string scopes_of(const provider_settings& s) {
  if (s.scopes.empty())
    return "openid email profile";
  std::string out;
  for (const auto& scope : s.scopes)
    out += (out.empty() ? "" : " ") + scope;
  return out;
}

/// Sends the browser off, once discovery is known.
class departure : public conversation<std::string> {
public:
  departure(oidc_provider& at, const login_attempt& attempt, std::string redirect_uri)
    : at_(at), attempt_(attempt), redirect_uri_(std::move(redirect_uri)) {}

  next_step<std::string> begin(moment now) override {
    if (const auto* known = at_.known(now))
      return address(*known);
    return {discovery_call(at_.settings())};
  }
  next_step<std::string> answered(caf::expected<http_answer> answer, moment now) override {
    if (auto error = at_.learn(answer, now))
      return error;
    return address(*at_.known(now));
  }

private:
  next_step<std::string> address(const discovery& known) const {
    return {with_query(known.authorize_url, {{"response_type", "code"},
                                             {"client_id", at_.settings().client_id},
                                             {"redirect_uri", redirect_uri_},
                                             {"scope", scopes_of(at_.settings())},
                                             {"state", attempt_.state.reveal()},
                                             {"nonce", attempt_.nonce.reveal()},
                                             {"code_challenge", challenge_of(attempt_.verifier)},
                                             {"code_challenge_method", "S256"}})};
  }

  oidc_provider& at_;
  login_attempt attempt_;
  std::string redirect_uri_;
};

/// From the callback to who is there: discovery and keys where they are not known, the code, and where the token says too
/// little the address for more.
class arrival : public conversation<external_identity> {
public:
  using step = next_step<external_identity>;

  arrival(oidc_provider& at, login_attempt attempt, callback back, std::string redirect_uri)
    : at_(at), attempt_(std::move(attempt)), back_(std::move(back)), redirect_uri_(std::move(redirect_uri)) {}

  step begin(moment now) override {
    // Another issuer's answer is not even read: it may be a trick to have us show its code, or ours, to somebody else.
    if (!back_.issuer.empty() && back_.issuer != at_.settings().issuer)
      return problem(errc::provider_issuer_wrong, at_.settings(), "the browser came back from another issuer");
    if (!at_.known(now)) {
      asked_ = asked::discovery;
      return {discovery_call(at_.settings())};
    }
    return ask_code(now);
  }

  step answered(caf::expected<http_answer> answer, moment now) override {
    switch (asked_) {
      case asked::discovery:
        if (auto error = at_.learn(answer, now))
          return error;
        return ask_code(now);
      case asked::code: return take_tokens(answer, now);
      case asked::keys:
        if (auto error = at_.learn_keys(answer, now))
          return error;
        return check_token(now);
      case asked::person: return take_person(answer);
      case asked::nothing: break;
    }
    return make_error(errc::internal, "an answer to nothing");
  }

private:
  enum class asked { nothing, discovery, code, keys, person };

  step ask_code(moment now) {
    asked_ = asked::nothing;
    discovery_ = *at_.known(now); // of one conversation all is of one discovery
    const auto& s = at_.settings();
    if (back_.issuer.empty() && discovery_.names_itself)
      return problem(errc::provider_issuer_wrong, s, "the browser came back without the name of the issuer");
    if (!back_.error.empty())
      return callback_error(back_, s);
    if (!is_token(back_.code))
      return problem(errc::provider_answer_wrong, s, "the browser came back without a code");
    http_call call{discovery_.token_url, "application/x-www-form-urlencoded", {}, {}};
    const auto in_body = discovery_.secret_in_body;
    call.body =
      secret{form_of({{"grant_type", "authorization_code"},
                      {"code", back_.code},
                      {"redirect_uri", redirect_uri_},
                      {"code_verifier", attempt_.verifier.reveal()},
                      {"client_id", in_body ? std::string_view(s.client_id) : std::string_view{}},
                      {"client_secret", in_body ? std::string_view(s.client_secret.reveal()) : std::string_view{}}})};
    if (!in_body) // both are encoded first (RFC 6749, 2.3.1)
      call.authorization =
        secret{"Basic " + base64(percent_encoded(s.client_id) + ":" + percent_encoded(s.client_secret.reveal()))};
    asked_ = asked::code;
    return {std::move(call)};
  }

  step take_tokens(const caf::expected<http_answer>& answer, moment now) {
    const auto& s = at_.settings();
    asked_ = asked::nothing;
    if (!answer)
      return no_answer(answer.error(), s);
    const auto tokens = object_of(*answer, s, "exchange of the code");
    if (!tokens)
      return tokens.error();
    if (const auto error = text_at(*tokens, "error"); answer->status != 200 || !error.empty())
      return problem(error.empty() ? errc::provider_failed : meaning_of(error), s,
                     error.empty() ? fmt::format("exchange of the code: status {}", answer->status) : shown(error));
    token_ = secret{text_at(*tokens, "id_token")};
    access_ = secret{text_at(*tokens, "access_token")};
    if (token_.empty())
      return problem(errc::provider_answer_wrong, s,
                     "exchange of the code: no id_token; is the scope openid allowed there?");
    return at_.keys(now) ? check_token(now) : ask_keys();
  }

  step ask_keys() {
    asked_ = asked::keys;
    return {http_call{discovery_.keys_url, {}, {}, {}}};
  }

  step check_token(moment now) {
    asked_ = asked::nothing;
    const auto& s = at_.settings();
    auto person = read_id_token(token_.reveal(), *at_.keys(now), {s.issuer, s.client_id, attempt_.nonce.reveal(), now});
    if (!person && code_of(person.error()) == errc::provider_key_unknown && !again_ && at_.may_fetch_keys_again(now)) {
      again_ = true;
      return ask_keys();
    }
    if (!person)
      return no_answer(person.error(), s);
    person_ = std::move(*person);
    if (person_.email.empty() && !discovery_.user_info_url.empty() && is_token(access_.reveal())) {
      asked_ = asked::person;
      return {http_call{discovery_.user_info_url, {}, {}, secret{"Bearer " + access_.reveal()}}};
    }
    return outcome();
  }

  /// Who it is is known already; without this there is only less to show, and no e-mail address.
  step take_person(const caf::expected<http_answer>& answer) {
    asked_ = asked::nothing;
    const auto& s = at_.settings();
    const bool needed = !s.domains.empty();
    if (!answer)
      return needed ? step{no_answer(answer.error(), s)} : outcome();
    if (const auto object = object_of(*answer, s, "asking for the person"); !object || answer->status != 200)
      return !needed  ? outcome()
             : object ? step{problem(errc::provider_answer_wrong, s, "asking for the person")}
                      : step{object.error()};
    auto more = read_person(answer->body);
    if (!more || more->subject != person_.subject)
      return problem(errc::id_token_refused, s, "told of another person");
    person_.email = std::move(more->email);
    if (person_.name.empty())
      person_.name = std::move(more->name);
    return outcome();
  }

  step outcome() {
    const auto& s = at_.settings();
    const auto domain = person_.email.substr(std::min(person_.email.rfind('@'), person_.email.size() - 1) + 1);
    if (!s.domains.empty()
        && (person_.email.empty() || std::find(s.domains.begin(), s.domains.end(), domain) == s.domains.end()))
      return problem(errc::identity_not_allowed, s,
                     person_.email.empty() ? "no e-mail address that the issuer has verified" : "");
    const bool verified = !person_.email.empty();
    return {external_identity{
      s.name, s.issuer, std::move(person_.subject), std::move(person_.name), std::move(person_.email), verified, {}}};
  }

  oidc_provider& at_;
  login_attempt attempt_;
  callback back_;
  std::string redirect_uri_;
  asked asked_ = asked::nothing;
  discovery discovery_;
  secret token_;
  secret access_;
  bool again_ = false;
  person_claims person_;
};

} // namespace

std::unique_ptr<conversation<std::string>> oidc_provider::authorize(const login_attempt& attempt,
                                                                    std::string redirect_uri) {
  return std::make_unique<departure>(*this, attempt, std::move(redirect_uri));
}

std::unique_ptr<conversation<external_identity>> oidc_provider::identify(login_attempt attempt, callback back,
                                                                         std::string redirect_uri) {
  return std::make_unique<arrival>(*this, std::move(attempt), std::move(back), std::move(redirect_uri));
}

const discovery* oidc_provider::known(moment now) const {
  return discovery_ && now - discovery_->at < kept_for ? &discovery_->what : nullptr;
}

caf::error oidc_provider::learn(const caf::expected<http_answer>& answer, moment now) {
  if (!answer)
    return no_answer(answer.error(), settings());
  auto read = read_discovery(*answer, settings());
  if (!read)
    return read.error();
  discovery_ = {std::move(*read), now};
  return {};
}

const signing_keys* oidc_provider::keys(moment now) const {
  return keys_ && now - keys_->at < kept_for ? &keys_->what : nullptr;
}

caf::error oidc_provider::learn_keys(const caf::expected<http_answer>& answer, moment now) {
  if (!answer)
    return no_answer(answer.error(), settings());
  const auto object = object_of(*answer, settings(), "its signing keys");
  if (!object)
    return object.error();
  if (answer->status != 200)
    return problem(errc::provider_answer_wrong, settings(), fmt::format("its signing keys: status {}", answer->status));
  auto read = signing_keys::read(answer->body);
  if (!read)
    return no_answer(read.error(), settings());
  keys_ = {std::move(*read), now};
  return {};
}

bool oidc_provider::may_fetch_keys_again(moment now) {
  while (!fetched_again_.empty() && now - fetched_again_.front() >= again_window)
    fetched_again_.pop_front();
  if (fetched_again_.size() >= again_limit)
    return false;
  fetched_again_.push_back(now);
  return true;
}

} // namespace keyportal::identity
