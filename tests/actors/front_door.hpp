// The authenticator with a real registry over a log in memory, and a clock that stands still until it is moved.
#pragma once

#include <chrono>
#include <deque>
#include <fstream>
#include <map>
#include <random>

#include <catch2/catch_test_macros.hpp>

#include "actors/authenticator/authenticator.hpp"
#include "actors/key_registry/key_registry.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/fixture.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/authenticator/toy_seal.hpp"

namespace keyportal::test {

/// A log behind the ledger's messages.
struct access_log {
  std::vector<registry_entry> entries;
  std::vector<listener_actor> listeners;

  [[nodiscard]] registry_image fold() const {
    std::map<std::string, client_key> keys;
    std::map<std::string, user> users;
    std::map<std::string, access_record> access;
    registry_image out;
    out.position = entries.size();
    for (const auto& entry : entries) {
      for (const auto& c : entry.keys)
        keys[c.after->id] = *c.after;
      for (const auto& c : entry.users)
        users[c.after->id] = *c.after;
      for (const auto& c : entry.access)
        if (c.after)
          access[c.after->id] = *c.after;
        else
          access.erase(c.before->id);
    }
    for (const auto& [id, one] : keys)
      out.keys.push_back(one);
    for (const auto& [id, one] : users)
      out.users.push_back(one);
    for (const auto& [id, one] : access)
      out.access.push_back(one);
    return out;
  }
  /// Whether any of these bytes are anywhere in the log.
  [[nodiscard]] bool holds(std::string_view text) const {
    const std::string reversed{text.rbegin(), text.rend()}; // the toy seal turns texts round
    for (const auto& entry : entries) {
      for (const auto& c : entry.access)
        for (const auto* side : {c.before ? &*c.before : nullptr, c.after ? &*c.after : nullptr})
          if (side != nullptr
              && (side->id.find(text) != std::string::npos || side->sealed.find(text) != std::string::npos
                  || side->sealed.find(reversed) != std::string::npos))
            return true;
      if (entry.what.find(text) != std::string::npos || entry.who.find(text) != std::string::npos)
        return true;
    }
    return false;
  }
};

inline ledger_actor::behavior_type access_ledger(ledger_actor::pointer self, std::shared_ptr<access_log> log) {
  return test::answers<ledger_actor>(test::overloaded{
    [log](const add_listener& m) { log->listeners.push_back(m.who); },
    [=](const append_entry& m) -> caf::result<appended> {
      log->entries.push_back(*m.entry);
      committed told;
      told.records = std::make_shared<const std::vector<stored_record>>();
      told.events = std::make_shared<const std::vector<node_event>>();
      told.appended = m.entry->position;
      for (const auto& one : log->listeners)
        self->send(one, told);
      return appended{m.entry->position};
    },
    [=](const read_entries& m) -> caf::result<std::vector<registry_entry>> {
      std::vector<registry_entry> out;
      for (auto at = m.after; at < log->entries.size() && out.size() < m.limit; ++at)
        out.push_back(log->entries[at]);
      return out;
    },
    [=](const load_registry&) -> caf::result<std::shared_ptr<const registry_image>> {
      return std::make_shared<const registry_image>(log->fold());
    },
    [](const drain&) { return drained{}; },
  });
}

struct front_door : fixture {
  static constexpr const char* password = "correct horse battery";

  explicit front_door(std::function<void(authenticator_settings&)> change = {}) : change_(std::move(change)) {
    ledger = spawn(access_ledger, log);
    start();
  }
  ~front_door() { stop(); }

  void start() {
    auto random = random_;
    auto draw = [random](std::span<std::uint8_t> out) {
      for (auto& byte : out)
        byte = static_cast<std::uint8_t>((*random)());
    };
    authenticator_settings s;
    s.cost = {64, 1, 1};
    s.hash_threads = 0;
    s.first_admin_file = folder.path() / "first-admin.token";
    s.key = bits_of(7);
    s.seal = toy_seal();
    s.draw = draw;
    s.now = [this] { return now(); };
    if (change_)
      change_(s);
    auto image = std::make_shared<registry_image>(log->fold());
    auto begin = authenticator_start_of(s, *image);
    callers = begin.directory;
    callers->on_end([this](const session& one) { ended.push_back(one.subject); });
    registry_rules rules;
    rules.pool_low_water = 0;
    rules.pool_size = 0;
    rules.nodes = {"alpha"};
    key_vault vault{[](std::string_view text) { return fmt::format("k{:026x}", std::hash<std::string_view>{}(text)); },
                    toy_seal().seal, toy_seal().open, draw};
    registry = spawn_key_registry(system(), false, {rules, secret{"sentinel"}, [this] { return now(); }}, vault,
                                  {image, {}}, ledger, numbers);
    subject = spawn_authenticator(system(), false, s, std::move(begin), registry, ledger);
    tell(ledger, add_listener{subject});
  }
  void stop() {
    log->listeners.clear();
    caf::anon_send_exit(subject, caf::exit_reason::kill);
    caf::anon_send_exit(registry, caf::exit_reason::kill);
    settle();
    subject = nullptr;
    registry = nullptr;
  }

  [[nodiscard]] moment now() const { return at(second); }

  using request = caf::response_handle<caf::blocking_actor, caf::detail::type_list<access_done>, true>;
  /// Several questions that are under way at once; their answers in order.
  std::vector<caf::expected<access_done>> ask_all(const std::vector<access_question>& all, std::string address,
                                                  std::string who = {}) {
    caf::scoped_actor self{system()};
    std::vector<request> requests;
    for (const auto& one : all)
      requests.push_back(self->request(subject, caf::infinite, access_command{{address, "Firefox", {}}, who, one}));
    std::vector<caf::expected<access_done>> out;
    for (auto& one : requests) {
      settle();
      REQUIRE_FALSE(self->mailbox().empty());
      one.receive([&](access_done& done) { out.emplace_back(std::move(done)); },
                  [&](caf::error& why) { out.emplace_back(std::move(why)); });
    }
    settle();
    return out;
  }
  caf::expected<access_done> ask_for(access_question what, std::string address = "192.0.2.7", std::string who = {}) {
    return ask_all({std::move(what)}, std::move(address), std::move(who)).front();
  }
  errc why_not(access_question what, std::string address = "192.0.2.7") {
    const auto done = ask_for(std::move(what), std::move(address));
    return done ? errc::none : code_of(done.error());
  }
  caf::expected<command_done> command(registry_question what) {
    return ask<command_done>(registry, registry_command{{"cli", "local", {}}, std::move(what)});
  }

  [[nodiscard]] std::string first_admin_token() const {
    std::ifstream in{folder.path() / "first-admin.token"};
    std::string text;
    in >> text;
    return text;
  }
  /// The first admin: its id.
  user_id make_admin() {
    register_person who;
    who.email = "root@example.com";
    who.password = secret{password};
    who.invitation = secret{first_admin_token()};
    const auto done = ask_for(who);
    REQUIRE(done);
    return done->user;
  }
  /// Somebody whom an admin made, with a password of his own: its id.
  user_id make_person(const std::string& email) {
    const auto made = command(add_user{.email = email});
    REQUIRE(made);
    const auto code = ask_for(ask_new_password{email, true}, "local", "control");
    REQUIRE(code);
    REQUIRE(ask_for(set_new_password{email, code->shown.reveal(), secret{password}}));
    return made->users.front().id;
  }
  caf::expected<access_done> sign_in(const std::string& email, const std::string& with = password,
                                     std::string address = "192.0.2.7") {
    return ask_for(sign_in_with_password{email, secret{with}}, std::move(address));
  }
  bool is_in(const access_done& who) { return callers->by_session(who.session_text.reveal()).has_value(); }

  std::atomic<std::int64_t> second{0};
  temporary_folder folder;
  metrics numbers;
  std::shared_ptr<access_log> log = std::make_shared<access_log>();
  std::shared_ptr<session_directory> callers;
  std::vector<std::string> ended;
  ledger_actor ledger;
  key_registry_actor registry;
  authenticator_actor subject;

private:
  std::function<void(authenticator_settings&)> change_;
  std::shared_ptr<std::mt19937_64> random_ = std::make_shared<std::mt19937_64>(4711);
};

} // namespace keyportal::test
