#include "actors/cpa/error_line.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace keyportal::cpa {
namespace {

const std::string* text_of(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get_ptr<const std::string*>() : nullptr;
}

std::string message_of(std::string_view body) {
  if (!body.starts_with('{'))
    return std::string{body};
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object())
    return std::string{body};
  if (const auto error = json.find("error"); error != json.end() && error->is_object())
    if (const auto* message = text_of(*error, "message"))
      return *message;
  for (const auto* name : {"message", "detail", "error"})
    if (const auto* message = text_of(json, name))
      return *message;
  return std::string{body};
}

bool is_of_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_'
         || byte == '-';
}

// Ids of requests and organisations, moments, counts: they differ each time.
bool differs_each_time(std::string_view word) {
  const auto digits = std::count_if(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits >= 4 || (word.size() >= 16 && digits > 0);
}

} // namespace

std::string error_line(std::string_view body) {
  const auto message = message_of(body);
  std::string out;
  for (std::size_t at = 0; at < message.size() && out.size() < 2 * longest_error_line;) {
    const auto c = message[at];
    if (c == '\n' || c == '\r') {
      if (!out.empty())
        break;
      ++at;
      continue;
    }
    auto end = at;
    while (end < message.size() && is_of_word(message[end]))
      ++end;
    if (end == at) {
      out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
      ++at;
      continue;
    }
    const std::string_view word{message.data() + at, end - at};
    out += differs_each_time(word) ? std::string_view{"…"} : word;
    at = end;
  }
  if (out.size() > longest_error_line) {
    auto end = longest_error_line;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0U) == 0x80U)
      --end;
    out.resize(end);
  }
  return out;
}

} // namespace keyportal::cpa
