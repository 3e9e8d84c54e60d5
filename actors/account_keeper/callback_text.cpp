#include "actors/account_keeper/callback_text.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "actors/account_keeper/provider_table.hpp"
#include "messages/errors.hpp"

namespace keyportal {

namespace {

constexpr std::size_t longest = 16 << 10;

/// Without the line ends that a chat or a terminal put in, and what people put around an address.
std::string tidied(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (std::isspace(static_cast<unsigned char>(c)) == 0)
      out.push_back(c);
  const std::string_view around = "\"'`<>()[]";
  while (!out.empty() && around.find(out.front()) != std::string_view::npos)
    out.erase(0, 1);
  while (!out.empty() && (around.find(out.back()) != std::string_view::npos || out.back() == ','))
    out.pop_back();
  return out;
}

int digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

/// Nothing where an escape is cut off or none.
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+')
      out.push_back(' ');
    else if (text[i] != '%')
      out.push_back(text[i]);
    else {
      const int high = i + 1 < text.size() ? digit(text[i + 1]) : -1,
                low = i + 2 < text.size() ? digit(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

bool is_state(std::string_view text) {
  return text.size() <= 128 && text.find("..") == std::string_view::npos
         && std::all_of(text.begin(), text.end(),
                        [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

/// "localhost:1455/auth/callback" of an address; empty where it is none of a login's end.
std::string provider_of(std::string_view address) {
  const auto scheme = address.find("://");
  auto rest = scheme == std::string_view::npos ? address : address.substr(scheme + 3);
  rest = rest.substr(0, rest.find_first_of("?#"));
  const auto place = [](std::string_view text) {
    const auto colon = text.find(':');
    return colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  };
  for (const auto& row : providers())
    if (!row.ends_at.empty() && place(rest) == place(row.ends_at.substr(row.ends_at.find("://") + 3)))
      return std::string(row.name);
  return rest.find(":56121/") != std::string_view::npos ? "xai" : "";
}

/// What a provider may have refused with, as it is told to people: its word, if it is one.
std::string word_of(const std::string& text) {
  const bool fits = !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
  return fits ? text : "refused";
}

} // namespace

caf::expected<callback> read_callback(std::string_view pasted) {
  if (pasted.size() > longest)
    return make_error(errc::callback_unreadable, "it is far too long");
  const auto text = tidied(pasted);
  if (text.empty())
    return make_error(errc::callback_unreadable, "nothing was handed in");
  std::string_view query = text;
  callback out;
  const auto mark = text.find('?');
  const bool is_address = text.starts_with("http://") || text.starts_with("https://") || text.starts_with("localhost")
                          || text.starts_with("127.0.0.1");
  if (mark != std::string::npos) {
    query.remove_prefix(mark + 1);
    out.provider = provider_of(text);
  } else if (is_address) {
    return make_error(errc::callback_incomplete, "it ends before its question mark");
  } else if (text.find('=') == std::string::npos) { // a page shows code#state
    const auto hash = text.find('#');
    if (hash == std::string::npos || hash == 0 || !is_plain(text))
      return make_error(errc::callback_unreadable);
    query = {};
    out.code = text.substr(0, hash);
    out.state = text.substr(hash + 1);
    if (out.state.empty())
      return make_error(errc::callback_incomplete, "what stands behind # is missing");
  }
  std::map<std::string, std::string, std::less<>> fields;
  for (query = query.substr(0, query.find('#')); !query.empty();) {
    const auto end = std::min(query.find('&'), query.size());
    const auto field = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = field.find('=');
    const auto name = decoded(field.substr(0, equals));
    const auto value = decoded(equals == std::string_view::npos ? std::string_view{} : field.substr(equals + 1));
    if (!name || !value)
      return make_error(query.empty() ? errc::callback_incomplete : errc::callback_unreadable);
    fields.emplace(*name, *value);
  }
  const auto field = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string{} : found->second;
  };
  if (fields.contains("client_id") || fields.contains("redirect_uri"))
    return make_error(
      errc::callback_unreadable,
      "this is the address of the provider's page; sign in there, then copy the one where the browser ends");
  if (out.code.empty()) {
    out.code = field("code");
    out.state = field("state");
  }
  if (const auto hash = out.code.find('#'); hash != std::string::npos) {
    if (out.state.empty())
      out.state = out.code.substr(hash + 1);
    out.code.erase(hash);
  }
  if (fields.contains("error"))
    out.refused = word_of(field("error"));
  if (out.code.empty() && out.state.empty() && out.refused.empty())
    return make_error(errc::callback_unreadable, "there is neither a code nor a state in it");
  if (out.state.empty())
    return make_error(errc::callback_incomplete, "its state is missing");
  if (out.code.empty() && out.refused.empty())
    return make_error(errc::callback_incomplete, "its code is missing");
  if (!is_state(out.state) || !is_plain(out.code))
    return make_error(errc::callback_unreadable);
  return out;
}

} // namespace keyportal
