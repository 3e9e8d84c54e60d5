#include "config/value.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

namespace keyportal {

namespace {

template <typename... Cases>
struct overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
overloaded(Cases...) -> overloaded<Cases...>; // clang 14 does not deduce it

struct unit {
  std::string_view name;
  std::uint64_t factor;
};
// Largest first: showing takes the first that divides.
constexpr unit duration_units[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"min", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr unit size_units[] = {{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"", 1}};

template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const unit (&units)[N], std::uint64_t most) {
  std::uint64_t number = 0;
  const auto* last = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), last, number);
  if (failed != std::errc{})
    return std::nullopt;
  const std::string_view name(end, static_cast<std::size_t>(last - end));
  for (const auto& u : units)
    if (u.name == name)
      return number > most / u.factor ? std::nullopt : std::optional(number * u.factor);
  return std::nullopt;
}

template <std::size_t N>
std::string show_with_unit(std::uint64_t value, const unit (&units)[N]) {
  if (value == 0)
    return fmt::format("0{}", units[N - 1].name);
  for (const auto& u : units)
    if (value % u.factor == 0)
      return fmt::format("{}{}", value / u.factor, u.name);
  return {};
}

/// Reads by `parse`, compares with the bounds read by the same function.
template <typename T, typename Parse>
std::string assign_bounded(T& place, const std::string& text, const value_limits& limits, Parse parse,
                           std::string_view expected) {
  const std::optional<T> value = parse(text);
  if (!value)
    return std::string(expected);
  const auto least = limits.least.empty() ? std::optional<T>{} : std::optional<T>(parse(limits.least));
  const auto most = limits.most.empty() ? std::optional<T>{} : std::optional<T>(parse(limits.most));
  if ((least && *value < *least) || (most && *value > *most))
    return fmt::format("must be from {} to {}", limits.least, limits.most);
  place = *value;
  return {};
}

std::optional<int> parse_number(std::string_view text) {
  int number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return number;
}

bool is_choice(std::string_view choices, std::string_view text) {
  while (true) {
    const auto bar = choices.find('|');
    if (choices.substr(0, bar) == text)
      return true;
    if (bar == std::string_view::npos)
      return false;
    choices.remove_prefix(bar + 1);
  }
}

/// Text may hold anything a person types on one line.
bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

constexpr std::size_t text_limit = 4096;

std::string assign_text(std::string& place, const written_value& value, const value_limits& limits) {
  if (value.text.size() > text_limit || !is_one_line(value.text))
    return "must be one line of at most 4096 characters";
  if (!limits.choices.empty() && !is_choice(limits.choices, value.text))
    return fmt::format("must be one of {}", limits.choices);
  place = value.text;
  return {};
}

std::string assign_list(std::vector<std::string>& place, const written_value& value) {
  std::vector<std::string> items = value.items;
  if (value.form == written_value::form::any && !value.text.empty()) { // "a,b" in the environment
    std::string_view rest = value.text;
    for (auto comma = rest.find(','); comma != std::string_view::npos; comma = rest.find(',')) {
      items.emplace_back(rest.substr(0, comma));
      rest.remove_prefix(comma + 1);
    }
    items.emplace_back(rest);
  }
  if (items.size() > 256)
    return "must have at most 256 items";
  for (const auto& item : items)
    if (item.size() > text_limit || !is_one_line(item))
      return "each item must be one line of at most 4096 characters";
  place = std::move(items);
  return {};
}

} // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto value = parse_with_unit(text, duration_units, std::numeric_limits<std::int64_t>::max() / 1'000'000);
  return value ? std::optional(std::chrono::milliseconds{static_cast<std::int64_t>(*value)}) : std::nullopt;
}

std::string show_duration(std::chrono::milliseconds duration) {
  return duration.count() == 0 ? "0s" : show_with_unit(static_cast<std::uint64_t>(duration.count()), duration_units);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, size_units, std::numeric_limits<std::int64_t>::max());
}

std::string show_size(std::uint64_t bytes) { return show_with_unit(bytes, size_units); }

std::string toml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\')
      out.append({'\\', static_cast<char>(c)});
    else if (c < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", c);
    else
      out.push_back(static_cast<char>(c));
  }
  return out.append("\"");
}

std::string assign(const value_place& place, const written_value& value, const value_limits& limits) {
  using form = enum written_value::form;
  const auto is = [&](form wanted) { return value.form == form::any || value.form == wanted; };
  return std::visit(
    overloaded{
      [&](std::string* to) -> std::string {
        return is(form::text) ? assign_text(*to, value, limits) : "must be a text in quotes";
      },
      [&](std::filesystem::path* to) -> std::string {
        std::string text;
        if (!is(form::text))
          return "must be a path in quotes";
        auto wrong = assign_text(text, value, limits);
        *to = text;
        return wrong;
      },
      [&](secret* to) -> std::string {
        std::string text;
        if (!is(form::text))
          return "must be a text in quotes";
        auto wrong = assign_text(text, value, limits);
        *to = secret{std::move(text)};
        return wrong;
      },
      [&](bool* to) -> std::string {
        if (!is(form::boolean) || (value.text != "true" && value.text != "false"))
          return "must be true or false";
        *to = value.text == "true";
        return {};
      },
      [&](int* to) -> std::string {
        return is(form::integer) ? assign_bounded(*to, value.text, limits, parse_number, "must be a whole number")
                                 : "must be a whole number, without quotes";
      },
      [&](std::uint64_t* to) -> std::string {
        constexpr std::string_view expected = "must be a size such as \"256MiB\" (KiB, MiB, GiB, or bytes)";
        return is(form::text) || is(form::integer) ? assign_bounded(*to, value.text, limits, parse_size, expected)
                                                   : std::string(expected);
      },
      [&](std::chrono::milliseconds* to) -> std::string {
        constexpr std::string_view expected = "must be a duration with its unit, such as \"3s\" (ms, s, min, h, d)";
        return is(form::text) ? assign_bounded(*to, value.text, limits, parse_duration, expected)
                              : std::string(expected);
      },
      [&](std::vector<std::string>* to) -> std::string {
        return is(form::list) ? assign_list(*to, value) : "must be a list of texts, such as [\"a\", \"b\"]";
      },
    },
    place);
}

std::string show(const value_place& place) {
  return std::visit(overloaded{
                      [](const std::string* from) { return toml_quoted(*from); },
                      [](const std::filesystem::path* from) { return toml_quoted(from->string()); },
                      [](const secret* from) { return std::string(from->empty() ? "\"\"" : "\"[set]\""); },
                      [](const bool* from) { return std::string(*from ? "true" : "false"); },
                      [](const int* from) { return std::to_string(*from); },
                      [](const std::uint64_t* from) { return toml_quoted(show_size(*from)); },
                      [](const std::chrono::milliseconds* from) { return toml_quoted(show_duration(*from)); },
                      [](const std::vector<std::string>* from) {
                        std::string out;
                        for (const auto& item : *from)
                          out += (out.empty() ? "" : ", ") + toml_quoted(item);
                        return "[" + out + "]";
                      },
                    },
                    place);
}

std::string_view type_name(const value_place& place) {
  constexpr std::string_view names[] = {"text",   "path", "secret",   "true or false",
                                        "number", "size", "duration", "list"};
  return names[place.index()];
}

} // namespace keyportal
