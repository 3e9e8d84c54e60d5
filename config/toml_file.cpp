#include "config/toml_file.hpp"

#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <toml.hpp>

namespace keyportal {

namespace {

constexpr std::size_t size_limit = 1 << 20;
constexpr int depth_limit = 100;

/// The parser is recursive; a text of brackets only must not exhaust the stack. Brackets in strings and comments count
/// too, which is no harm: they are mostly closed again.
bool is_too_deep(const std::string& text) {
  int depth = 0;
  for (const char c : text) {
    depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    depth = depth < 0 ? 0 : depth;
    if (depth > depth_limit)
      return true;
  }
  return false;
}

written_value written(const toml::value& value) {
  using form = enum written_value::form;
  switch (value.type()) {
    case toml::value_t::string: return {form::text, value.as_string(std::nothrow).str, {}};
    case toml::value_t::integer: return {form::integer, std::to_string(value.as_integer(std::nothrow)), {}};
    case toml::value_t::boolean: return {form::boolean, value.as_boolean(std::nothrow) ? "true" : "false", {}};
    case toml::value_t::array: {
      written_value list{form::list, {}, {}};
      for (const auto& item : value.as_array(std::nothrow)) {
        if (!item.is_string())
          return {form::other, {}, {}};
        list.items.push_back(item.as_string(std::nothrow).str);
      }
      return list;
    }
    default: return {form::other, {}, {}};
  }
}

void add(toml_content& content, const std::string& prefix, const toml::table& table);

/// A list of tables; what in it is none is an entry under the list's own name.
void add_list(toml_content& content, const std::string& name, std::size_t& count, const toml::array& list) {
  for (const auto& one : list)
    if (one.is_table())
      add(content, fmt::format("{}.{}.", name, count++), one.as_table(std::nothrow));
    else
      content.entries.push_back({name, {written_value::form::other, {}, {}}, one.location().line()});
}

void add(toml_content& content, const std::string& prefix, const toml::table& table) {
  for (const auto& [name, value] : table)
    if (prefix == "compat." && name == "consumer" && value.is_array())
      add_list(content, prefix + name, content.consumers, value.as_array(std::nothrow));
    else if (prefix == "sign_in." && name == "provider" && value.is_array())
      add_list(content, prefix + name, content.providers, value.as_array(std::nothrow));
    else if (prefix == "notices." && name == "channel" && value.is_array())
      add_list(content, prefix + name, content.channels, value.as_array(std::nothrow));
    else if (prefix == "notices." && name == "rule" && value.is_array())
      add_list(content, prefix + name, content.rules, value.as_array(std::nothrow));
    else if (prefix == "gateway." && name == "tls" && value.is_table())
      add(content, "gateway.tls.", value.as_table(std::nothrow));
    else
      content.entries.push_back({prefix + name, written(value), value.location().line()});
}

void add_top(toml_content& content, const std::string& name, const toml::value& value) {
  if (name == "node" && value.is_array()) {
    add_list(content, name, content.nodes, value.as_array(std::nothrow));
  } else if (value.is_table()) {
    add(content, name + ".", value.as_table(std::nothrow));
  } else {
    content.entries.push_back({name, written(value), value.location().line()});
  }
}

/// The library's message shows lines of the file, which may hold a secret: only its first line, the reason, is kept.
std::string reason_of(std::string_view what) {
  auto first = what.substr(0, what.find('\n'));
  if (first.starts_with("[error] "))
    first.remove_prefix(8);
  if (first.starts_with("toml::")) {
    const auto colon = first.find(": ");
    first = colon == std::string_view::npos ? std::string_view{} : first.substr(colon + 2);
  }
  return fmt::format("this is not TOML ({})", first);
}

} // namespace

toml_content parse_toml(const std::string& text) {
  toml_content content;
  if (text.size() > size_limit || is_too_deep(text)) {
    content.error = "this is no configuration: larger than 1 MiB or nested too deep";
    return content;
  }
  if (text.find('\0') != std::string::npos) {
    content.error = "this is not TOML (it holds a zero byte)";
    return content;
  }
  try {
    std::istringstream stream(text);
    const auto root = toml::parse(stream, "configuration");
    for (const auto& [name, value] : root.as_table(std::nothrow))
      add_top(content, name, value);
  } catch (const toml::exception& error) {
    content.error = reason_of(error.what());
    content.error_line = error.location().line();
  } catch (const std::exception& error) {
    content.error = reason_of(error.what());
  }
  return content;
}

toml_content read_toml(const std::filesystem::path& file) {
  toml_content content;
  std::ifstream stream(file, std::ios::binary);
  std::error_code none;
  if (!stream || !std::filesystem::is_regular_file(file, none)) {
    content.error = "this file cannot be read; check its path and permissions";
    return content;
  }
  std::string text(size_limit + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) {
    content.error = "reading this file failed";
    return content;
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_toml(text);
}

} // namespace keyportal
