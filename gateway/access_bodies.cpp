#include "gateway/access_bodies.hpp"

#include "gateway/body_fields.hpp"

namespace keyportal::gateway {

namespace {

constexpr std::size_t longest_email = 512;
constexpr std::size_t longest_name = 512;
constexpr std::size_t longest_secret = 2048; ///< the rules for passwords say less, in bytes and with a reason
constexpr std::size_t longest_reason = 2048;
constexpr std::int64_t longest_s = std::int64_t{10} * 366 * 86'400;

void bounded(fields& all, const char* name, std::string& to, std::size_t most, bool needed = false) {
  all.text(name, to, needed);
  if (to.size() > most)
    all.fail(name, fmt::format("at most {} bytes", most));
}

void hidden(fields& all, const char* name, secret& to, bool needed = false) {
  std::string text;
  bounded(all, name, text, longest_secret, needed);
  to = secret{std::move(text)};
}

template <class T>
caf::expected<T> finished(fields& all, T out) {
  if (auto error = all.finish())
    return error;
  return out;
}

} // namespace

caf::expected<std::variant<sign_in_with_password, sign_in_with_key>> read_sign_in(std::string_view body) {
  using either = std::variant<sign_in_with_password, sign_in_with_key>;
  fields all(body);
  sign_in_with_key by_key;
  if (all.has("key")) {
    hidden(all, "key", by_key.key, true);
    return finished(all, either{std::move(by_key)});
  }
  sign_in_with_password out;
  bounded(all, "email", out.email, longest_email, true);
  hidden(all, "password", out.password, true);
  return finished(all, either{std::move(out)});
}

caf::expected<confirm_second_factor> read_second_factor(std::string_view body) {
  fields all(body);
  confirm_second_factor out;
  bounded(all, "code", out.code, 100, true);
  return finished(all, std::move(out));
}

caf::expected<registration_form> read_registration(std::string_view body) {
  fields all(body);
  registration_form out;
  bounded(all, "email", out.what.email, longest_email);
  bounded(all, "name", out.what.name, longest_name);
  hidden(all, "password", out.what.password);
  hidden(all, "invitation", out.what.invitation);
  bounded(all, "reason", out.what.reason, longest_reason);
  bounded(all, "code", out.what.code, 100);
  all.boolean("external", out.external);
  if (!out.external && out.what.email.empty())
    all.fail("email", "missing");
  if (!out.external && out.what.password.empty())
    all.fail("password", "missing");
  return finished(all, std::move(out));
}

caf::expected<change_password> read_password_change(std::string_view body) {
  fields all(body);
  change_password out;
  hidden(all, "old", out.old); // who came from elsewhere has none yet
  hidden(all, "new", out.fresh, true);
  return finished(all, std::move(out));
}

caf::expected<ask_new_password> read_password_wish(std::string_view body) {
  fields all(body);
  ask_new_password out;
  bounded(all, "email", out.email, longest_email, true);
  return finished(all, std::move(out));
}

caf::expected<set_new_password> read_new_password(std::string_view body) {
  fields all(body);
  set_new_password out;
  bounded(all, "email", out.email, longest_email, true);
  bounded(all, "code", out.code, 100, true);
  hidden(all, "password", out.fresh, true);
  return finished(all, std::move(out));
}

caf::expected<drop_identity> read_identity(std::string_view body) {
  fields all(body);
  drop_identity out;
  bounded(all, "provider", out.provider, 100, true);
  bounded(all, "subject", out.subject_name, longest_name, true);
  return finished(all, std::move(out));
}

caf::expected<secret> read_password_again(std::string_view body) {
  fields all(body);
  secret out;
  hidden(all, "password", out);
  return finished(all, std::move(out));
}

caf::expected<finish_totp> read_totp_code(std::string_view body) {
  fields all(body);
  finish_totp out;
  bounded(all, "code", out.code, 100, true);
  return finished(all, std::move(out));
}

caf::expected<make_token> read_token_wish(std::string_view body) {
  fields all(body);
  make_token out;
  std::optional<std::vector<std::string>> scopes;
  std::optional<std::int64_t> lifetime;
  bounded(all, "label", out.label, longest_name, true);
  all.texts("scopes", scopes);
  all.whole("lifetime_s", lifetime, 1, longest_s);
  if (auto error = all.finish())
    return error;
  std::string joined;
  for (const auto& one : scopes.value_or(std::vector<std::string>{}))
    joined.append(one).append(" ");
  const auto known = scopes_of(joined);
  if (!known)
    return make_error(errc::scope_refused);
  out.scopes = *known;
  out.lifetime_s = lifetime.value_or(0);
  return out;
}

caf::expected<make_invitation_for> read_invitation(std::string_view body) {
  fields all(body);
  make_invitation_for out;
  std::optional<std::int64_t> uses, lifetime;
  bounded(all, "email", out.email, longest_email);
  all.whole("uses", uses, 1, 1000);
  all.whole("lifetime_s", lifetime, 1, longest_s);
  out.uses = static_cast<std::uint32_t>(uses.value_or(1));
  out.lifetime_s = lifetime.value_or(0);
  return finished(all, std::move(out));
}

caf::expected<std::string> read_label(std::string_view body) {
  fields all(body);
  std::string out;
  bounded(all, "label", out, longest_name);
  return finished(all, std::move(out));
}

std::string safe_return(std::string_view given) {
  const auto is_plain = [](char c) { return c > 0x20 && c < 0x7f && c != '\\' && c != '"' && c != '<' && c != '>'; };
  // "//host" and "/\host" are other hosts to a browser.
  if (given.empty() || given.size() > 1000 || given[0] != '/' || given.starts_with("//")
      || !std::all_of(given.begin(), given.end(), is_plain))
    return "/";
  return std::string(given);
}

} // namespace keyportal::gateway
