#include "actors/authenticator/access_records.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace keyportal {

namespace {

using nlohmann::json;

constexpr int version = 1;
constexpr std::size_t most_bytes = 64 * 1024;

json head() { return {{"v", version}}; }
std::string text_of(const json& what) {
  // Agents and labels come from strangers: what is no UTF-8 in them is replaced, never an exception.
  return what.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Reads fields one after the other; remembers whether all were as they must be.
class reader {
public:
  explicit reader(std::string_view text) {
    if (text.size() <= most_bytes)
      from_ = json::parse(text, nullptr, false);
    std::int64_t v = 0;
    good_ = from_.is_object();
    number("v", v);
    good_ = good_ && v == version;
  }
  [[nodiscard]] bool good() const { return good_; }
  void refuse() { good_ = false; }

  void text(const char* name, std::string& out) {
    if (const auto* found = field(name); found != nullptr && found->is_string())
      out = found->get<std::string>();
    else
      good_ = false;
  }
  void number(const char* name, std::int64_t& out) {
    if (const auto* found = field(name); found != nullptr && found->is_number_integer())
      out = found->get<std::int64_t>();
    else
      good_ = false;
  }
  template <class T>
  void number(const char* name, T& out, std::int64_t most) {
    std::int64_t n = 0;
    number(name, n);
    good_ = good_ && n >= 0 && n <= most;
    if (good_)
      out = static_cast<T>(n);
  }
  void time(const char* name, moment& out) {
    std::int64_t ns = 0;
    number(name, ns);
    out = moment_of(ns);
  }
  void truth(const char* name, bool& out) {
    if (const auto* found = field(name); found != nullptr && found->is_boolean())
      out = found->get<bool>();
    else
      good_ = false;
  }
  void hash(const char* name, digest& out) {
    std::string in;
    text(name, in);
    take(in, out);
  }
  void hashes(const char* name, std::vector<digest>& out) {
    const auto* found = field(name);
    if (found == nullptr || !found->is_array()) {
      good_ = false;
      return;
    }
    for (const auto& one : *found) {
      if (!one.is_string()) {
        good_ = false;
        return;
      }
      take(one.get<std::string>(), out.emplace_back());
    }
  }

private:
  [[nodiscard]] const json* field(const char* name) const {
    if (!from_.is_object())
      return nullptr;
    const auto found = from_.find(name);
    return found == from_.end() ? nullptr : &*found;
  }
  void take(const std::string& in, digest& out) {
    const auto bytes = from_base32(in);
    if (bytes && bytes->size() == out.size())
      std::copy(bytes->begin(), bytes->end(), out.begin());
    else
      good_ = false;
  }

  json from_;
  bool good_ = false;
};

std::string bytes_text(std::string_view bytes) {
  return to_base32({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

} // namespace

std::string access_id(std::string_view kind, std::string_view rest) {
  std::string out{kind};
  out += '/';
  out += rest;
  return out;
}
std::string access_id(std::string_view kind, const digest& hash) { return access_id(kind, to_base32(hash)); }
std::string_view kind_of_record(std::string_view id) { return id.substr(0, id.find('/')); }

std::optional<digest> hash_of_record(std::string_view id) {
  const auto slash = id.find('/');
  if (slash == id.npos || id.size() - slash - 1 != 52)
    return std::nullopt;
  const auto bytes = from_base32(id.substr(slash + 1));
  digest out{};
  if (!bytes || bytes->size() != out.size()
      || to_base32({reinterpret_cast<const std::uint8_t*>(bytes->data()), 32}) != id.substr(slash + 1))
    return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

std::string write_record(const password_record& what) {
  auto out = head();
  out["phc"] = what.phc;
  out["at"] = unix_ns(what.set_at);
  return text_of(out);
}
bool read_record(std::string_view text, password_record& out) {
  reader in{text};
  in.text("phc", out.phc);
  in.time("at", out.set_at);
  return in.good();
}

std::string write_record(const totp_record& what) {
  auto out = head();
  out["key"] = bytes_text(what.key);
  out["step"] = what.last_step;
  out["at"] = unix_ns(what.set_at);
  return text_of(out);
}
bool read_record(std::string_view text, totp_record& out) {
  reader in{text};
  std::string key;
  in.text("key", key);
  in.number("step", out.last_step);
  in.time("at", out.set_at);
  const auto bytes = from_base32(key);
  if (!bytes || bytes->size() != 20)
    return false;
  out.key = *bytes;
  return in.good();
}

std::string write_record(const recovery_record& what) {
  auto out = head();
  out["left"] = json::array();
  for (const auto& one : what.left)
    out["left"].push_back(to_base32(one));
  return text_of(out);
}
bool read_record(std::string_view text, recovery_record& out) {
  reader in{text};
  in.hashes("left", out.left);
  return in.good();
}

std::string write_record(const identity_record& what) {
  auto out = head();
  out["provider"] = what.provider;
  out["issuer"] = what.issuer;
  out["subject"] = what.subject;
  out["shown"] = what.shown;
  out["at"] = unix_ns(what.linked_at);
  return text_of(out);
}
bool read_record(std::string_view text, identity_record& out) {
  reader in{text};
  in.text("provider", out.provider);
  in.text("issuer", out.issuer);
  in.text("subject", out.subject);
  in.text("shown", out.shown);
  in.time("at", out.linked_at);
  return in.good();
}

std::string write_record(const invitation_record& what) {
  auto out = head();
  out["hash"] = to_base32(what.what.hash);
  out["until"] = unix_ns(what.what.until);
  out["email"] = what.what.email;
  out["uses"] = what.what.uses_left;
  out["at"] = unix_ns(what.made_at);
  return text_of(out);
}
bool read_record(std::string_view text, invitation_record& out) {
  reader in{text};
  in.hash("hash", out.what.hash);
  in.time("until", out.what.until);
  in.text("email", out.what.email);
  in.number("uses", out.what.uses_left, UINT32_MAX);
  in.time("at", out.made_at);
  return in.good();
}

std::string write_record(const mailed_code& what) {
  auto out = head();
  out["hash"] = to_base32(what.hash);
  out["until"] = unix_ns(what.until);
  out["tries"] = what.tries_left;
  return text_of(out);
}
bool read_record(std::string_view text, mailed_code& out) {
  reader in{text};
  in.hash("hash", out.hash);
  in.time("until", out.until);
  in.number("tries", out.tries_left, UINT8_MAX);
  return in.good();
}

std::string write_record(const api_token& what) {
  auto out = head();
  out["id"] = what.id;
  out["hash"] = to_base32(what.hash);
  out["owner"] = what.owner;
  out["label"] = what.label;
  out["scopes"] = what.scopes.bits;
  out["at"] = unix_ns(what.created);
  out["until"] = unix_ns(what.until);
  out["used"] = unix_ns(what.last_used);
  out["revoked"] = what.revoked;
  return text_of(out);
}
bool read_record(std::string_view text, api_token& out) {
  reader in{text};
  in.text("id", out.id);
  in.hash("hash", out.hash);
  in.text("owner", out.owner);
  in.text("label", out.label);
  in.number("scopes", out.scopes.bits, UINT16_MAX);
  in.time("at", out.created);
  in.time("until", out.until);
  in.time("used", out.last_used);
  in.truth("revoked", out.revoked);
  return in.good();
}

std::string write_record(const session& what) {
  auto out = head();
  out["id"] = to_base32(what.id);
  out["name"] = what.name;
  out["kind"] = static_cast<int>(what.kind);
  out["subject"] = what.subject;
  out["role"] = static_cast<int>(what.role);
  out["factor"] = static_cast<int>(what.factor);
  out["at"] = unix_ns(what.created);
  out["seen"] = unix_ns(what.last_seen);
  out["until"] = unix_ns(what.until);
  out["address"] = what.address;
  out["agent"] = what.agent;
  return text_of(out);
}
bool read_record(std::string_view text, session& out) {
  reader in{text};
  in.hash("id", out.id);
  in.text("name", out.name);
  in.number("kind", out.kind, static_cast<std::int64_t>(session_kind::key_view));
  in.text("subject", out.subject);
  in.number("role", out.role, static_cast<std::int64_t>(user_role::admin));
  in.number("factor", out.factor, static_cast<std::int64_t>(second_factor::done));
  in.time("at", out.created);
  in.time("seen", out.last_seen);
  in.time("until", out.until);
  in.text("address", out.address);
  in.text("agent", out.agent);
  return in.good();
}

} // namespace keyportal
