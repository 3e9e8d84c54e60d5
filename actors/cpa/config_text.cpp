#include "actors/cpa/config_text.hpp"

#include <algorithm>

#include "messages/json.hpp"
#include "messages/records.hpp"

namespace keyportal::cpa {

namespace {

constexpr std::string_view not_understood = "it is not understood";

/// One line at a time, without its end.
class lines {
public:
  explicit lines(std::string_view text) : left_(text) {}
  bool next(std::string_view& line) {
    if (left_.empty())
      return false;
    const auto end = left_.find('\n');
    line = left_.substr(0, end);
    left_.remove_prefix(end == std::string_view::npos ? left_.size() : end + 1);
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    return true;
  }

private:
  std::string_view left_;
};

/// Takes one scalar off the front of `text`; what follows it stays. Nothing when it is none that is understood.
std::optional<std::string> take_scalar(std::string_view& text, bool in_flow) {
  std::string out;
  if (text.starts_with('"')) {
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] == '"') {
        text.remove_prefix(i + 1);
        return out;
      }
      if (text[i] != '\\') {
        out.push_back(text[i]);
        continue;
      }
      if (++i == text.size() || (text[i] != '"' && text[i] != '\\' && text[i] != '/'))
        return std::nullopt; // other escapes stand for what no key has
      out.push_back(text[i]);
    }
    return std::nullopt;
  }
  if (text.starts_with('\'')) {
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] != '\'') {
        out.push_back(text[i]);
      } else if (i + 1 < text.size() && text[i + 1] == '\'') {
        out.push_back(text[i++]);
      } else {
        text.remove_prefix(i + 1);
        return out;
      }
    }
    return std::nullopt;
  }
  constexpr std::string_view means_something_else = "&*!|>%@`{}[],?";
  if (text.empty() || means_something_else.find(text[0]) != std::string_view::npos || text.starts_with("- "))
    return std::nullopt;
  std::size_t end = std::min(text.find(" #"), text.size());
  if (in_flow)
    end = std::min(end, text.find_first_of(",]"));
  if (text.substr(0, end).find(": ") != std::string_view::npos)
    return std::nullopt;
  out = trimmed(text.substr(0, end));
  text.remove_prefix(end);
  return out;
}

bool nothing_more(std::string_view text) {
  text = trimmed(text);
  return text.empty() || text.starts_with('#');
}

/// `["a", 'b', c]`, all on one line.
bool take_flow_list(std::string_view text, std::vector<std::string>& into) {
  text.remove_prefix(1);
  for (;;) {
    text = trimmed(text);
    if (text.starts_with(']'))
      return nothing_more(text.substr(1));
    const auto one = take_scalar(text, true);
    if (!one)
      return false;
    into.push_back(*one);
    text = trimmed(text);
    if (text.starts_with(','))
      text.remove_prefix(1);
    else if (!text.starts_with(']'))
      return false;
  }
}

bool take_value(std::string_view text, std::string& into) {
  text = trimmed(text);
  if (text.starts_with('#') || text.empty())
    return true;
  const auto one = take_scalar(text, false);
  if (!one || !nothing_more(text))
    return false;
  into = *one;
  return true;
}

} // namespace

bool is_template_key(std::string_view text) {
  text = trimmed(text);
  return text == "your-api-key-1" || text == "your-api-key-2" || text == "your-api-key-3";
}

bool is_usable_key(std::string_view text) {
  return !text.empty() && text.size() <= 512
         && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; }) && !is_template_key(text);
}

std::optional<config_facts> read_config_text(std::string_view text) {
  config_facts out;
  enum class section { other, keys, management } in = section::other;
  bool keys_seen = false, management_seen = false, secret_seen = false, any = false, whole_list = false;
  lines all{text};
  std::string_view line;
  while (all.next(line)) {
    const auto indent = line.find_first_not_of(' ');
    if (indent == std::string_view::npos || line[indent] == '#')
      continue;
    if (line[indent] == '\t')
      return std::nullopt;
    auto rest = line.substr(indent);
    if (in == section::keys && (rest.starts_with("- ") || rest == "-")) {
      if (whole_list)
        return std::nullopt;
      out.api_keys.emplace_back();
      if (!take_value(rest.substr(1), out.api_keys.back()))
        return std::nullopt;
      continue;
    }
    if (indent > 0) {
      if (in == section::keys)
        return std::nullopt;
      if (in == section::management && rest.starts_with("secret-key:")) {
        std::string value;
        if (secret_seen || !take_value(rest.substr(std::string_view("secret-key:").size()), value))
          return std::nullopt;
        secret_seen = true;
        out.has_secret_key = !value.empty() && value != "~" && value != "null";
      }
      continue;
    }
    if (rest.starts_with("- ")) { // a list of another section, not indented
      if (!any)
        return std::nullopt;
      continue;
    }
    if (rest == "---" && !any)
      continue;
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos || (colon + 1 < rest.size() && rest[colon + 1] != ' '))
      return std::nullopt;
    any = true;
    const auto name = rest.substr(0, colon);
    const auto value = trimmed(rest.substr(colon + 1));
    in = section::other;
    if (name == "api-keys") {
      if (std::exchange(keys_seen, true))
        return std::nullopt;
      in = section::keys;
      whole_list = value.starts_with('[');
      if (whole_list ? !take_flow_list(value, out.api_keys) : !nothing_more(value))
        return std::nullopt;
    } else if (name == "remote-management") {
      if (std::exchange(management_seen, true) || !nothing_more(value))
        return std::nullopt;
      in = section::management;
    } else if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
               != std::string_view::npos) {
      return std::nullopt;
    }
  }
  return any ? std::optional{std::move(out)} : std::nullopt;
}

std::optional<std::string> with_keys(std::string_view text, const std::vector<secret>& keys) {
  if (!read_config_text(text))
    return std::nullopt;
  std::string out;
  bool among_keys = false, done = false;
  const auto add_keys = [&] {
    out += "api-keys:\n";
    for (const auto& key : keys) {
      out += "  - ";
      append_json_string(out, key.reveal());
      out.push_back('\n');
    }
    done = true;
  };
  lines all{text};
  std::string_view line;
  while (all.next(line)) {
    if (among_keys && (line.starts_with(' ') || line.starts_with('-')))
      continue;
    among_keys &= line.empty() || line.starts_with('#');
    if (line.starts_with("api-keys:")) {
      among_keys = true;
      add_keys();
    } else {
      out.append(line).push_back('\n');
    }
  }
  if (!done)
    add_keys();
  return out;
}

std::string config_danger(std::string_view text, const secret& sentinel) {
  if (trimmed(text).empty())
    return "it is empty";
  const auto facts = read_config_text(text);
  if (!facts)
    return std::string{not_understood};
  if (!facts->has_secret_key)
    return "it has no remote-management.secret-key";
  const auto& keys = facts->api_keys;
  if (std::all_of(keys.begin(), keys.end(), [](const auto& k) { return trimmed(k).empty(); }))
    return "it has no api-keys";
  if (std::any_of(keys.begin(), keys.end(), [](const auto& k) { return is_template_key(k); }))
    return "its api-keys hold an example of CLIProxyAPI's";
  if (!sentinel.empty()
      && std::none_of(keys.begin(), keys.end(), [&](const auto& k) { return trimmed(k) == sentinel.reveal(); }))
    return "its api-keys lack the sentinel";
  return {};
}

} // namespace keyportal::cpa
