// Signing in at other places: OpenID Connect, Feishu and Lark.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "actors/authenticator/authenticator_core.hpp"
#include "actors/identity/text_codes.hpp"

namespace keyportal {

using namespace std::chrono_literals;

namespace {
const std::string external_id = "external/identity"; ///< what the sealed text is sealed for
constexpr auto external_life = 10min;
} // namespace

identity::provider* authenticator_core::provider_named(std::string_view name) const {
  for (const auto& one : providers_)
    if (one->settings().name == name)
      return one.get();
  return nullptr;
}

/// Makes the calls of a conversation until it has come to something.
template <class Result>
void authenticator_core::converse(std::shared_ptr<identity::conversation<Result>> with,
                                  identity::next_step<Result> step, std::function<void(caf::expected<Result>)> then) {
  if (!step)
    return then(std::move(step.error()));
  if (auto* result = std::get_if<Result>(&*step))
    return then(std::move(*result));
  settings_.ask_elsewhere(
    std::get<identity::http_call>(std::move(*step)),
    [this, post = port_.post, with, then = std::move(then)](caf::expected<identity::http_answer> answer) {
      post([this, with, then, answer = std::move(answer)]() mutable {
        auto next = with->answered(std::move(answer), settings_.now());
        converse<Result>(with, std::move(next), then);
      });
    });
}

void authenticator_core::answer(const list_providers&, asked q) {
  access_done done;
  for (const auto& one : providers_) {
    const auto& s = one->settings();
    done.providers.push_back({s.name, s.title.empty() ? s.name : s.title});
  }
  q.done(std::move(done));
}

void authenticator_core::answer(const begin_external& m, asked q) {
  auto* provider = provider_named(m.provider);
  if (provider == nullptr)
    return q.refuse(errc::provider_unknown);
  if (!m.link_to.empty() && book_.find(m.link_to) == nullptr)
    return q.refuse(errc::user_unknown);
  std::array<std::uint8_t, 96> random;
  settings_.draw(random);
  const auto now = settings_.now();
  auto attempt =
    attempts_.begin({m.provider, m.return_to, m.link_to, network_of(q.from.address), m.cookie}, random, now);
  if (!attempt)
    return q.refuse(std::move(attempt.error()));
  std::shared_ptr<identity::conversation<std::string>> with = provider->authorize(*attempt, m.redirect_uri);
  converse<std::string>(with, with->begin(now), [q](caf::expected<std::string> uri) mutable {
    if (!uri)
      return q.refuse(std::move(uri.error()));
    access_done done;
    done.uri = std::move(*uri);
    q.done(std::move(done));
  });
}

void authenticator_core::answer(const finish_external& m, asked q) {
  auto* provider = provider_named(m.provider);
  if (provider == nullptr)
    return q.refuse(errc::provider_unknown);
  auto back = identity::read_callback(m.query);
  if (!back)
    return q.refuse(std::move(back.error()));
  const auto now = settings_.now();
  auto attempt = attempts_.take(m.provider, back->state, m.cookie.reveal(), now);
  if (!attempt) {
    note(access_event::sign_in_wrong, q, {}, row_of(code_of(attempt.error())).name, m.provider);
    return q.refuse(std::move(attempt.error()));
  }
  std::shared_ptr<identity::conversation<identity::external_identity>> with =
    provider->identify(*attempt, std::move(*back), m.redirect_uri);
  converse<identity::external_identity>(
    with, with->begin(now),
    [this, q, attempt = std::move(*attempt)](caf::expected<identity::external_identity> who) mutable {
      if (who)
        return identified(*who, attempt, q);
      note(access_event::sign_in_wrong, q, {}, row_of(code_of(who.error())).name, attempt.provider);
      q.refuse(std::move(who.error()));
    });
}

void authenticator_core::identified(const identity::external_identity& who, const identity::login_attempt& attempt,
                                    asked q) {
  const auto* known = book_.find_identity(who.issuer, who.subject);
  if (attempt.link_to.empty() && known != nullptr) {
    // Whoever wants to be asked for a second factor is asked here as well: what the other place asked nobody can tell.
    const auto* owner = book_.find(known->owner);
    const bool asks = owner != nullptr && owner->totp;
    return sign_in(known->owner, asks ? second_factor::pending : second_factor::not_asked, attempt.return_to,
                   std::move(q));
  }
  if (attempt.link_to.empty()) {
    // Nobody's. Whose e-mail address it says is no reason to let it in as that person.
    auto sealed = seal_identity(who);
    if (!sealed)
      return q.refuse(std::move(sealed.error()));
    access_done done;
    done.register_with = std::move(*sealed);
    done.email = who.email;
    done.name = who.name;
    done.return_to = attempt.return_to;
    return q.done(std::move(done));
  }
  enter({attempt.link_to, q.from.address,
         [this, who, user = attempt.link_to]() -> caf::expected<put_access> {
           const auto* there = book_.find_identity(who.issuer, who.subject);
           if (there != nullptr && there->owner != user)
             return make_error(errc::identity_taken);
           const auto* person = book_.find(user);
           if (person == nullptr || person->state != user_state::active)
             return make_error(errc::user_unknown);
           put_access change;
           change.what = "identity.link";
           if (there == nullptr)
             if (auto failed = book_.put_identity(
                   change, user,
                   {who.provider, who.issuer, who.subject, who.email.empty() ? who.name : who.email, settings_.now()}))
               return failed;
           return change;
         },
         [this, q, user = attempt.link_to, return_to = attempt.return_to](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           note(access_event::factor_added, q, user, "done", "identity");
           access_done done;
           done.user = user;
           done.return_to = std::move(return_to);
           q.done(std::move(done));
         }});
}

caf::expected<secret> authenticator_core::seal_identity(const identity::external_identity& who) const {
  const nlohmann::json what = {{"provider", who.provider},
                               {"issuer", who.issuer},
                               {"subject", who.subject},
                               {"name", who.name},
                               {"email", who.email},
                               {"verified", who.email_verified},
                               {"until", unix_ns(settings_.now() + external_life)}};
  auto sealed = settings_.seal.seal(what.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), external_id);
  if (!sealed)
    return sealed.error();
  return secret{identity::base64url(std::string_view{*sealed})};
}

caf::expected<identity::external_identity> authenticator_core::open_identity(const secret& text) const {
  const auto refused = make_error(errc::sign_in_expired);
  const auto bytes = identity::from_base64url(text.reveal());
  if (!bytes)
    return refused;
  const auto open = settings_.seal.open(*bytes, external_id);
  if (!open)
    return refused;
  const auto what = nlohmann::json::parse(open->reveal(), nullptr, false);
  if (!what.is_object() || settings_.now() >= moment_of(what.value("until", std::int64_t{0})))
    return refused;
  identity::external_identity out;
  out.provider = what.value("provider", "");
  out.issuer = what.value("issuer", "");
  out.subject = what.value("subject", "");
  out.name = what.value("name", "");
  out.email = what.value("email", "");
  out.email_verified = what.value("verified", false);
  return out;
}

} // namespace keyportal
