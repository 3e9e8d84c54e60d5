// API tokens of scripts.
#include "actors/authenticator/authenticator_core.hpp"
#include "actors/key_registry/registry_text.hpp"

namespace keyportal {

namespace {
constexpr std::size_t most_tokens = 50; ///< of one person
}

void authenticator_core::answer(const make_token& m, asked q) {
  auto label = tidy_name("the label", m.label, true);
  if (!label)
    return q.refuse(std::move(label.error()));
  const auto longest = std::chrono::duration_cast<std::chrono::seconds>(longest_token_life);
  if (m.lifetime_s < 0 || m.lifetime_s > longest.count())
    return q.refuse(errc::scope_refused);
  auto done = std::make_shared<access_done>();
  enter({q.who.empty() ? m.user : q.who, q.from.address,
         [this, m, label = *label, longest, done]() -> caf::expected<put_access> {
           const auto* who = book_.find(m.user);
           if (who == nullptr || who->state != user_state::active)
             return make_error(errc::user_unknown);
           if (who->tokens.size() >= most_tokens)
             return make_error(errc::bad_request, "somebody may have 50 tokens; end one first");
           const auto now = settings_.now();
           const auto life = m.lifetime_s == 0 ? longest : std::chrono::seconds{m.lifetime_s};
           auto fresh =
             make_api_token(book_.key(), bits(), bits(), who->id, who->role, m.scopes, label, now, now + life);
           if (!fresh)
             return std::move(fresh.error());
           put_access change;
           change.what = "token.make";
           if (auto failed = book_.put(change, access_id(record_kind::token, fresh->kept.hash), who->id, fresh->kept))
             return failed;
           done->shown = std::move(fresh->shown);
           const auto& kept = fresh->kept;
           done->tokens = {{kept.id, kept.owner, kept.label, kept.scopes, kept.created, kept.until, std::nullopt}};
           return change;
         },
         [this, q, done, user = m.user](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           note(access_event::token_created, q, user, "done", done->tokens.front().name);
           q.done(std::move(*done));
         }});
}

void authenticator_core::answer(const list_tokens& m, asked q) {
  access_done done;
  const auto add = [&done](const api_token& one) {
    done.tokens.push_back({one.id, one.owner, one.label, one.scopes, one.created, one.until,
                           one.last_used == moment{} ? std::nullopt : std::optional{one.last_used}});
  };
  if (m.user.empty()) {
    for (const auto& [hash, one] : book_.tokens())
      add(one);
  } else if (const auto* who = book_.find(m.user)) {
    for (const auto& hash : who->tokens)
      if (const auto* one = book_.find_token(hash))
        add(*one);
  } else {
    return q.refuse(errc::user_unknown);
  }
  q.done(std::move(done));
}

void authenticator_core::answer(const end_token& m, asked q) {
  enter({q.who, q.from.address,
         [this, m]() -> caf::expected<put_access> {
           put_access change;
           change.what = "token.end";
           for (const auto& [hash, one] : book_.tokens())
             if (one.id == m.name && (m.user.empty() || one.owner == m.user))
               change.drop.push_back(access_id(record_kind::token, hash));
           if (change.drop.empty())
             return make_error(errc::not_found);
           return change;
         },
         [this, q, name = m.name](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           note(access_event::token_revoked, q, q.who, "done", name);
           access_done done;
           done.count = 1;
           q.done(std::move(done));
         }});
}

} // namespace keyportal
