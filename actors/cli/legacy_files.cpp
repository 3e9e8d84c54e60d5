#include "actors/cli/legacy_files.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/key_registry/key_text.hpp"
#include "actors/key_registry/registry_text.hpp"
#include "messages/errors.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

constexpr int deepest = 16;
constexpr std::size_t longest_quote = 80;

caf::error malformed(std::string about) { return make_error(errc::file_malformed, std::move(about)); }

/// Names in these files may be anything; of a long one the beginning tells which it is.
std::string in_quotes(std::string_view text) {
  return fmt::format("\"{}{}\"", text.substr(0, longest_quote), text.size() > longest_quote ? "…" : "");
}

std::string counted(const char* list, std::size_t index, std::string_view key) {
  return fmt::format("{}, entry {} ({})", list, index + 1, masked(key));
}

/// An object of objects without a name that stands twice, which could mean either.
caf::expected<json> parse_whole(const std::string& text) {
  if (text.size() > largest_legacy_file)
    return make_error(errc::body_too_large, "the file");
  bool twice = false, deep = false;
  std::vector<std::set<std::string>> names;
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    deep = deep || depth > deepest;
    if (event == json::parse_event_t::object_start)
      names.emplace_back();
    else if (event == json::parse_event_t::object_end && !names.empty())
      names.pop_back();
    else if (event == json::parse_event_t::key && !names.empty())
      twice = !names.back().insert(value.get<std::string>()).second || twice;
    return !deep;
  };
  json out;
  try {
    out = json::parse(text, watch);
  } catch (const json::parse_error& error) {                                     // its words may quote a key
    const auto at = std::min(error.byte == 0 ? 0 : error.byte - 1, text.size()); // behind what was read
    return malformed(fmt::format("line {} is no JSON",
                                 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')));
  } catch (const json::exception&) {
    return malformed("it is no JSON");
  }
  if (deep)
    return malformed("it is nested too deeply");
  if (twice)
    return malformed("an object has the same name twice");
  if (!out.is_object())
    return malformed("it is no JSON object");
  return out;
}

/// Reads one file's values and remembers what was wrong first.
class reader {
public:
  [[nodiscard]] bool good() const { return !error_; }
  [[nodiscard]] caf::error error() { return std::move(error_); }
  void fail(std::string about) {
    if (!error_)
      error_ = malformed(std::move(about));
  }

  const json& member(const json& object, const char* name, json::value_t type, const std::string& where, bool needed) {
    static const json none;
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) {
      if (needed)
        fail(fmt::format("{}{} is missing", where, name));
      return none;
    }
    if (found->type() != type) {
      fail(fmt::format("{}{} is not {}", where, name,
                       type == json::value_t::object  ? "an object"
                       : type == json::value_t::array ? "a list"
                                                      : "a text"));
      return none;
    }
    return *found;
  }
  std::string text(const json& object, const char* name, const std::string& where) {
    const auto& found = member(object, name, json::value_t::string, where, false);
    return found.is_string() ? found.get<std::string>() : std::string{};
  }
  std::string name(const json& object, const char* field, const std::string& where) {
    auto tidy = tidy_name("it", text(object, field, where), true);
    if (!tidy)
      fail(fmt::format("{}{}: {}", where, field, about_of(tidy.error())));
    return tidy ? *tidy : std::string{};
  }
  std::string email(std::string_view given, const std::string& where) {
    auto tidy = tidy_email(given);
    if (!tidy)
      fail(fmt::format("{}: {} is no e-mail address", where, in_quotes(given)));
    return tidy ? *tidy : std::string{};
  }
  secret key(const json& value, const std::string& where) {
    if (!value.is_string() || !can_be_key(value.get<std::string>())) {
      fail(where + " cannot be a key");
      return {};
    }
    return secret{value.get<std::string>()};
  }
  std::string created_at(const json& object, const std::string& where) {
    const auto found = object.find("created_at");
    if (found == object.end() || found->is_null())
      return {};
    if (found->is_number() && found->get<double>() >= 0 && found->get<double>() < 4e9)
      return to_rfc3339_ms(moment{} + std::chrono::seconds{static_cast<std::int64_t>(found->get<double>())});
    auto given = found->is_string() ? found->get<std::string>() : std::string{"?"};
    if (given.empty())
      return {};
    if (parse_rfc3339(given))
      return given;
    if (given.size() > 10 && given[10] == ' ')
      given[10] = 'T';
    if (given.size() == 10)
      given += "T00:00:00";
    given += "Z";
    if (parse_rfc3339(given))
      return given;
    fail(where + "created_at is no moment");
    return {};
  }

private:
  caf::error error_;
};

/// People by their addresses, each once.
class crowd {
public:
  void add(legacy_person one) { people_.try_emplace(one.email, one); }
  [[nodiscard]] bool knows(const std::string& email) const { return people_.contains(email); }
  std::vector<legacy_person> all() {
    std::vector<legacy_person> out;
    for (auto& [email, one] : people_)
      out.push_back(std::move(one));
    return out;
  }

private:
  std::map<std::string, legacy_person> people_;
};

} // namespace

caf::expected<legacy_file> read_user_keys(const std::string& text) {
  auto file = parse_whole(text);
  if (!file)
    return file.error();
  reader in;
  if (const auto version = file->find("version");
      version != file->end() && *version != "1.0" && *version != 1 && *version != "1")
    return make_error(errc::file_version, "version");
  crowd people;
  std::map<std::string, std::string> owner_of; ///< as the people list their keys
  std::vector<std::string> listed;             ///< in the order of the file
  legacy_file out;
  const auto& users = in.member(*file, "users", json::value_t::object, "", true);
  for (const auto& [address, user] : users.items()) {
    const auto where = fmt::format("users[{}]", in_quotes(address));
    if (!user.is_object()) {
      in.fail(where + " is not an object");
      break;
    }
    const auto email = in.email(address, where);
    if (const auto own = in.text(user, "email", where + "."); !own.empty() && in.email(own, where + ".email") != email)
      in.fail(where + ".email is another address");
    if (people.knows(email))
      in.fail(where + " stands twice, in capitals and without");
    people.add({email, in.name(user, "name", where + "."), {}});
    (void)in.created_at(user, where + ".");
    const auto& keys = in.member(user, "api_keys", json::value_t::array, where + ".", false);
    for (std::size_t i = 0; i < keys.size() && in.good(); ++i) {
      const auto key = in.key(keys[i], fmt::format("{}.api_keys[{}]", where, i));
      const auto [known, fresh] = owner_of.try_emplace(key.reveal(), email);
      if (!fresh && in.good())
        in.fail(fmt::format("{}.api_keys[{}] ({}) is listed twice", where, i, masked(key.reveal())));
      listed.push_back(key.reveal());
    }
    if (!in.good())
      break;
  }
  const auto& keys = in.member(*file, "keys", json::value_t::object, "", false);
  std::map<std::string, legacy_key> told;
  std::size_t index = 0;
  for (const auto& [key, about] : keys.items()) {
    const auto where = counted("keys", index++, key);
    if (!about.is_object()) {
      in.fail(where + " is not an object");
      break;
    }
    (void)in.key(key, where);
    const auto owner = in.email(in.text(about, "email", where + "."), where);
    const auto found = owner_of.find(key);
    if (in.good() && (found == owner_of.end() || found->second != owner))
      in.fail(where + fmt::format(" is of {}, who does not list it", in_quotes(owner)));
    told[key] = {secret{key}, owner, in.name(about, "label", where + "."), in.created_at(about, where + ".")};
    if (!in.good())
      break;
  }
  if (!in.good())
    return in.error();
  for (const auto& key : listed) {
    const auto found = told.find(key);
    out.keys.push_back(found == told.end() ? legacy_key{secret{key}, owner_of[key], {}, {}} : found->second);
  }
  if (told.size() < listed.size())
    out.remarks.push_back(fmt::format("{} keys have no label in the file", listed.size() - told.size()));
  out.people = people.all();
  return out;
}

caf::expected<legacy_file> read_key_pool(const std::string& text) {
  auto file = parse_whole(text);
  if (!file)
    return file.error();
  reader in;
  crowd people;
  std::set<std::string> seen;
  legacy_file out;
  const auto take = [&](const json& key, std::string owner, const std::string& where) {
    auto one = in.key(key, where);
    if (in.good() && !seen.insert(one.reveal()).second)
      in.fail(fmt::format("{} ({}) stands twice", where, masked(one.reveal())));
    out.keys.push_back({std::move(one), std::move(owner), {}, {}});
  };
  const auto& unused = in.member(*file, "unused", json::value_t::array, "", true);
  for (std::size_t i = 0; i < unused.size() && in.good(); ++i)
    take(unused[i], {}, fmt::format("unused[{}]", i));
  const auto& assigned = in.member(*file, "assigned", json::value_t::object, "", false);
  std::size_t index = 0;
  for (const auto& [key, owner] : assigned.items()) {
    const auto where = counted("assigned", index++, key);
    auto email = in.email(owner.is_string() ? owner.get<std::string>() : std::string{}, where);
    people.add({email, {}, {}});
    take(key, std::move(email), where);
    if (!in.good())
      break;
  }
  if (const auto total = file->find("total"); total != file->end() && !total->is_number_integer())
    in.fail("total is no number");
  else if (total != file->end() && *total != out.keys.size() && in.good())
    out.remarks.push_back(fmt::format("the file says that it has {} keys, and has {}", total->dump(), out.keys.size()));
  if (!in.good())
    return in.error();
  out.people = people.all();
  return out;
}

caf::expected<legacy_file> read_user_mapping(const std::string& text) {
  auto file = parse_whole(text);
  if (!file)
    return file.error();
  reader in;
  crowd people;
  legacy_file out;
  const auto& users = in.member(*file, "users", json::value_t::array, "", true);
  for (std::size_t i = 0; i < users.size() && in.good(); ++i) {
    const auto where = fmt::format("users[{}]", i);
    if (!users[i].is_object()) {
      in.fail(where + " is not an object");
      break;
    }
    const auto email_of = [&](const char* field) {
      const auto given = in.text(users[i], field, where + ".");
      return given.empty() ? given : in.email(given, where + "." + field);
    };
    const auto claude = email_of("claude_email"), feishu = email_of("feishu_email");
    legacy_person one{feishu.empty() ? claude : feishu, in.name(users[i], "name", where + "."), {}};
    if (!claude.empty() && claude != one.email)
      one.label = claude;
    if (one.email.empty())
      in.fail(where + " has no address");
    else if (people.knows(one.email))
      in.fail(where + ": " + in_quotes(one.email) + " stands twice");
    people.add(std::move(one));
  }
  if (!in.good())
    return in.error();
  out.people = people.all();
  return out;
}

} // namespace keyportal::cli
