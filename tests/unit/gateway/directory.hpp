// A caller directory that knows a person of each role by name, for tests: sessions are named by their texts.
#pragma once

#include <map>

#include "messages/access.hpp"

namespace keyportal::test {

class directory final : public caller_directory {
public:
  directory() {
    person("user", user_role::user);
    person("other", user_role::user);
    person("auditor", user_role::auditor);
    person("admin", user_role::admin);
    auto& half = person("half", user_role::admin);
    half.held->factor = second_factor::pending;
    half.rights = {};
    auto& view = person("view", user_role::user);
    view.kind = caller_kind::key_view;
    view.subject = "kone";
    view.rights = rights_of_key_view();
  }

  std::optional<caller> by_session(std::string_view text) override {
    const auto found = all.find(std::string(text));
    return found == all.end() ? std::nullopt : std::optional(found->second);
  }
  caf::expected<caller> by_token(std::string_view text) override {
    const auto scopes = scopes_of(text.substr(text.find('=') + 1)); // kpt_admin=read:usage
    if (!scopes)
      return make_error(errc::token_refused);
    const auto owner = std::string(text.substr(4, text.find('=') - 4));
    const auto found = all.find(owner);
    if (found == all.end())
      return make_error(errc::token_refused);
    caller out;
    out.kind = caller_kind::token;
    out.subject = "u" + owner;
    out.rights = rights_of(found->second.held->role, *scopes);
    return out;
  }
  std::string csrf_of(const session& s) const override { return "csrf of " + s.name; }
  bool is_csrf_of(const session& s, std::string_view given) const override { return given == csrf_of(s); }
  std::string csrf_before(std::string_view bound_to) const override { return "csrf before " + std::string(bound_to); }
  bool is_csrf_before(std::string_view bound_to, std::string_view given) const override {
    return given == csrf_before(bound_to);
  }
  rate take(const caller&, std::string_view address) override {
    ++taken[std::string(address)];
    return next;
  }
  void on_end(std::function<void(const session&)> ended) override { told = std::move(ended); }

  caller& person(const std::string& name, user_role role) {
    caller out;
    out.kind = caller_kind::session;
    out.subject = "u" + name;
    out.rights = rights_of(role);
    out.held.emplace();
    out.held->name = name;
    out.held->id[0] = static_cast<std::uint8_t>(all.size() + 1);
    out.held->subject = out.subject;
    out.held->role = role;
    return all[name] = std::move(out);
  }

  std::map<std::string, caller> all;
  std::map<std::string, int> taken;
  rate next{};
  std::function<void(const session&)> told;
};

} // namespace keyportal::test
