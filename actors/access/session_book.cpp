#include "actors/access/session_book.hpp"

#include <algorithm>

namespace keyportal {

namespace {

constexpr std::size_t id_size = 52; // 256 bits in base32
constexpr std::chrono::seconds store_pause{60};
constexpr std::size_t longest_agent = 120;

std::string_view text_of(const digest& id) { return {reinterpret_cast<const char*>(id.data()), id.size()}; }

} // namespace

right_set rights_of(const session& s) {
  if (s.factor == second_factor::pending)
    return {};
  return s.kind == session_kind::key_view ? rights_of_key_view() : rights_of(s.role);
}

std::string csrf_token(const random_bits& key, std::string_view bound_to) {
  return to_base32(keyed_hash(key, {"csrf", bound_to}));
}

std::string csrf_token(const random_bits& key, const session& s) { return csrf_token(key, text_of(s.id)); }

bool check_csrf(const random_bits& key, const session& s, std::string_view given) {
  return check_csrf(key, text_of(s.id), given);
}

bool check_csrf(const random_bits& key, std::string_view bound_to, std::string_view given) {
  return !bound_to.empty() && same_secret(csrf_token(key, bound_to), given);
}

std::string shortened_agent(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 4 * longest_agent))
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)
      out += c;
  if (out.size() > longest_agent) {
    auto end = longest_agent;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80)
      --end;
    out.resize(end);
  }
  return out;
}

session_book::opened session_book::open(session_start start, const random_bits& bits, moment now) {
  opened out;
  out.what = make(std::move(start), bits, now, out.id_text);
  const auto mine = subjects_.find(out.what.subject);
  if (mine != subjects_.end())
    while (!mine->second.empty() && mine->second.size() >= std::max<std::size_t>(limits_.of_subject, 1)) {
      const bool last = mine->second.size() == 1; // then there is no list any more
      out.ended.push_back(leave(mine->second.front()));
      if (last)
        break;
    }
  while (!sessions_.empty() && sessions_.size() >= std::max<std::size_t>(limits_.in_all, 1))
    out.ended.push_back(leave(plan_.begin()->second));
  enter(out.what);
  return out;
}

std::optional<session_book::opened> session_book::renew(const digest& id, second_factor factor, const random_bits& bits,
                                                        moment now) {
  if (find(id, now) == nullptr)
    return std::nullopt;
  auto old = leave(id);
  opened out;
  out.what = make({old.kind, old.subject, old.role, factor, old.address, old.agent}, bits, now, out.id_text);
  if (old.factor != second_factor::pending) {
    out.what.created = old.created;
    out.what.until = old.until;
  }
  enter(out.what);
  out.ended.push_back(std::move(old));
  return out;
}

bool session_book::restore(session kept, moment now) {
  if (now >= due(kept) || sessions_.contains(kept.id))
    return false;
  enter(std::move(kept));
  return true;
}

const session* session_book::find(std::string_view id_text, moment now) const {
  return id_text.size() == id_size ? find(sha256(id_text), now) : nullptr;
}

const session* session_book::find(const digest& id, moment now) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() || now >= due(found->second.what) ? nullptr : &found->second.what;
}

bool session_book::touch(const digest& id, moment now) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || now >= due(found->second.what))
    return false;
  auto& one = found->second;
  one.what.last_seen = std::max(one.what.last_seen, now);
  if (one.what.last_seen - one.stored < store_pause)
    return false;
  one.stored = one.what.last_seen;
  return true;
}

std::vector<session> session_book::of_subject(std::string_view subject, moment now) const {
  std::vector<session> out;
  if (const auto mine = subjects_.find(std::string(subject)); mine != subjects_.end())
    for (auto id = mine->second.rbegin(); id != mine->second.rend(); ++id)
      if (const auto* one = find(*id, now))
        out.push_back(*one);
  return out;
}

std::optional<session> session_book::end(const digest& id) {
  if (!sessions_.contains(id))
    return std::nullopt;
  return leave(id);
}

std::optional<session> session_book::end(std::string_view subject, std::string_view name) {
  const auto mine = subjects_.find(std::string(subject));
  if (mine == subjects_.end())
    return std::nullopt;
  for (const auto& id : mine->second)
    if (sessions_.at(id).what.name == name)
      return leave(digest{id});
  return std::nullopt;
}

std::vector<session> session_book::end_all(std::string_view subject, const digest* but) {
  std::vector<session> out;
  const auto mine = subjects_.find(std::string(subject));
  if (mine == subjects_.end())
    return out;
  for (const auto ids = mine->second; const auto& id : ids)
    if (but == nullptr || id != *but)
      out.push_back(leave(id));
  return out;
}

std::vector<session> session_book::end_everything() {
  std::vector<session> out;
  out.reserve(sessions_.size());
  for (auto& [id, one] : sessions_)
    out.push_back(std::move(one.what));
  sessions_.clear();
  subjects_.clear();
  plan_.clear();
  return out;
}

std::vector<session> session_book::expire(moment now) {
  std::vector<session> out;
  while (!plan_.empty() && plan_.begin()->first <= now) {
    const auto id = plan_.begin()->second;
    auto& one = sessions_.at(id);
    const auto at = due(one.what);
    if (at <= now) {
      out.push_back(leave(id));
      continue;
    }
    plan_.erase(plan_.begin()); // it was touched since
    one.planned = at;
    plan_.emplace(at, id);
  }
  return out;
}

std::optional<moment> session_book::next_due() const {
  return plan_.empty() ? std::nullopt : std::optional{plan_.begin()->first};
}

moment session_book::due(const session& s) const { return std::min(s.last_seen + limits_.idle, s.until); }

void session_book::enter(session what) {
  const auto at = due(what);
  plan_.emplace(at, what.id);
  auto& mine = subjects_[what.subject];
  const auto later = std::find_if(mine.begin(), mine.end(),
                                  [&](const digest& id) { return sessions_.at(id).what.created > what.created; });
  mine.insert(later, what.id); // what is restored comes in any order
  const auto id = what.id;
  const auto stored = what.last_seen;
  sessions_.emplace(id, held{std::move(what), stored, at});
}

session session_book::leave(const digest& id) {
  const auto copy = id; // it may lie in the list that it is taken out of
  const auto found = sessions_.find(copy);
  auto out = std::move(found->second.what);
  plan_.erase({found->second.planned, copy});
  sessions_.erase(found);
  const auto mine = subjects_.find(out.subject);
  std::erase(mine->second, copy);
  if (mine->second.empty())
    subjects_.erase(mine);
  return out;
}

session session_book::make(session_start start, const random_bits& bits, moment now, secret& id_text) const {
  id_text = secret{to_base32(bits)};
  session out;
  out.id = sha256(id_text.reveal());
  out.name = to_base32(std::span{out.id}.first<16>());
  out.kind = start.kind;
  out.subject = std::move(start.subject);
  out.role = start.role;
  out.factor = start.factor;
  out.created = out.last_seen = now;
  out.until = now + (start.factor == second_factor::pending ? limits_.pending : limits_.absolute);
  out.address = std::move(start.address);
  out.agent = shortened_agent(start.agent);
  return out;
}

} // namespace keyportal
