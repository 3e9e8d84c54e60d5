#include "actors/notifier/notice_text.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/analyst/calendar.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

namespace {

using nlohmann::json;

/// The next character of UTF-8 text, or U+FFFD for a byte that begins none.
char32_t next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xf0 && first < 0xf5 ? 4
                             : first >= 0xe0                 ? 3
                             : first >= 0xc2                 ? 2
                                                             : 0;
  if (length == 0 || first >= 0xf5 || at + length > text.size()) {
    ++at;
    return 0xfffd;
  }
  char32_t out = length == 1 ? first : first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) {
      ++at;
      return 0xfffd;
    }
    out = out << 6 | (byte(at + i) & 0x3f);
  }
  at += length;
  return out;
}

void append(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

bool turns_direction(char32_t c) {
  return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x61c;
}

/// What stands for a character by which programs find mentions (@), tags (<>), formats (* _ ` ~ [ ] #) and their like: one
/// that looks the same and means nothing.
char32_t stand_in(char32_t c) {
  switch (c) {
    case '<': return 0x2039;  // ‹
    case '>': return 0x203a;  // ›
    case '@': return 0xff20;  // @
    case '*': return 0x2217;  // ∗
    case '`': return 0x2018;  // ‘
    case '~': return 0x223c;  // ∼
    case '[': return 0xff3b;  // [
    case ']': return 0xff3d;  // ]
    case '#': return 0xff03;  // #
    case '{': return 0xff5b;  // {
    case '}': return 0xff5d;  // }
    case '|': return 0x2223;  // ∣
    case '\\': return 0xff3c; // \ in full width
    default: return c;
  }
}

struct word {
  std::string_view name, zh, en;
};
constexpr std::array<word, 9> words = {{{"hour", "小时", "hour"},
                                        {"day", "天", "day"},
                                        {"week", "周", "week"},
                                        {"month", "月", "month"},
                                        {"lifetime", "全部时间", "lifetime"},
                                        {"requests", "请求数", "requests"},
                                        {"tokens", "词元", "tokens"},
                                        {"making", "制作", "making"},
                                        {"verifying", "校验", "verifying"}}};

std::string shown_moment(const stamped_time& at, const std::string& zone) {
  std::int32_t ahead_s = 0;
  if (!zone.empty())
    if (const auto there = calendar::of(zone))
      ahead_s = there->clock_at(at.unix_ns).ahead_s;
  auto text = to_rfc3339_ms(moment_of(at.unix_ns + std::int64_t{ahead_s} * 1'000'000'000)); // 2026-04-02T08:00:00.000Z
  text.resize(16);
  text[10] = ' ';
  const auto minutes = ahead_s / 60;
  return ahead_s == 0 ? text + " UTC"
                      : fmt::format("{} (UTC{}{:02}:{:02})", text, minutes < 0 ? '-' : '+', std::abs(minutes) / 60,
                                    std::abs(minutes) % 60);
}

bool is_moment(std::string_view text) { return text.size() >= 20 && text[4] == '-' && text[10] == 'T'; }

/// Nothing for a fact that is not there, or empty.
std::optional<std::string> shown_fact(const json& facts, std::string_view name, bool zh, const std::string& zone) {
  const auto found = facts.find(name);
  if (found == facts.end() || found->is_null())
    return std::nullopt;
  if (found->is_number() || found->is_boolean())
    return found->dump();
  if (!found->is_string())
    return std::nullopt;
  const auto& text = found->get_ref<const std::string&>();
  if (text.empty())
    return std::nullopt;
  if (is_moment(text))
    if (const auto at = parse_rfc3339(text))
      return shown_moment(*at, zone);
  for (const auto& one : words)
    if (one.name == text)
      return std::string(zh ? one.zh : one.en);
  if (name == "list" || name == "code") // made by us, of what was made harmless
    return text;
  return harmless(text);
}

/// A line with its facts, or nothing when one of them is missing.
std::optional<std::string> filled(std::string_view line, const json& facts, bool zh, const std::string& zone) {
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    const auto open = line.find('{', at);
    out += line.substr(at, open == line.npos ? line.npos : open - at);
    if (open == line.npos)
      break;
    const auto close = line.find('}', open);
    auto fact = shown_fact(facts, line.substr(open + 1, close - open - 1), zh, zone);
    if (!fact)
      return std::nullopt;
    out += *fact;
    at = close + 1;
  }
  return out;
}

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

} // namespace

std::string harmless(std::string_view text, std::size_t longest) {
  std::string out;
  bool blank = false;
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto c = next_character(text, at);
    if (c <= 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0) || c == 0x2028 || c == 0x2029) {
      blank = !out.empty();
      continue;
    }
    if (turns_direction(c))
      continue;
    if (++count > longest) {
      append(out, 0x2026);
      break;
    }
    if (std::exchange(blank, false))
      out += ' ';
    append(out, stand_in(c));
    if (out.ends_with("://")) // programs make links of it
      out.insert(out.size() - 2, "\u200b");
  }
  return out;
}

letter write_letter(const notice_kind& kind, std::string_view language, const json& facts, const std::string& zone,
                    std::string_view base_url, const notice_id& id) {
  const bool zh = language != "en";
  const auto& words_here = zh ? kind.zh : kind.en;
  letter out;
  out.title = filled(words_here.title, facts, zh, zone).value_or(std::string(kind.name));
  for (const auto line : parts_of(words_here.text))
    if (auto text = filled(line, facts, zh, zone))
      for (const auto part : parts_of(*text))
        out.lines.emplace_back(part);
  if (!kind.page.empty() && !words_here.button.empty() && !base_url.empty()) {
    out.button = words_here.button;
    out.link = std::string(base_url) + (base_url.ends_with('/') ? "" : "/") + std::string(kind.page);
  }
  if (!id.empty())
    out.footer = zh ? fmt::format("Key Portal · 通知编号 {}", id) : fmt::format("Key Portal · notice {}", id);
  return out;
}

std::string plain_text(const letter& what, bool with_title) {
  std::string out = with_title ? what.title : std::string{};
  for (const auto& line : what.lines)
    out += (out.empty() ? "" : "\n") + line;
  if (!what.link.empty())
    out += fmt::format("\n{}: {}", what.button, what.link);
  if (!what.footer.empty())
    out += "\n" + what.footer;
  return out;
}

std::string cut(std::string text, std::size_t bytes) {
  if (text.size() <= bytes)
    return text;
  auto end = bytes < 3 ? 0 : bytes - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;
  text.resize(end);
  return text + "…";
}

json sample_facts(const notice_kind& kind) {
  json out = {{"key", "laptop (sk-kp…a1b2)"},
              {"shown", "sk-kp…a1b2"},
              {"person", "Wang Wei"},
              {"email", "wang.wei@example.com"},
              {"node", "alpha"},
              {"days", 3},
              {"expires_at", "2026-04-02T00:00:00Z"},
              {"retires_at", "2026-04-02T00:00:00Z"},
              {"since", "2026-04-02T00:00:00Z"},
              {"from", "2026-04-02T00:00:00Z"},
              {"to", "2026-04-02T00:10:00Z"},
              {"until", "2026-04-02T05:00:00Z"},
              {"token_ends", "2026-04-02T05:00:00Z"},
              {"begins_anew", "2026-04-02T05:00:00Z"},
              {"words", "its token ended"},
              {"percent", 80},
              {"unit", "tokens"},
              {"window", "month"},
              {"amount", 1'000'000},
              {"pooled", 9},
              {"low_water", 10},
              {"number", 2},
              {"reason", "…"},
              {"problem", "…"},
              {"about", "research"},
              {"account", "team@example.com"},
              {"auth_index", "3f2a"},
              {"provider", "claude"},
              {"model", "claude-sonnet"},
              {"status_code", 429},
              {"code", "rate_limit_error"},
              {"credential", "3f2a"},
              {"missing", 12},
              {"expected_records", 12},
              {"bytes", 900'000'000},
              {"limit", 1'000'000'000},
              {"doing", "making"},
              {"backup", "20260402T000000Z"},
              {"channel", "ops"},
              {"count", 7},
              {"text", "…"},
              {"list", "· …"}};
  if (kind.name.starts_with("code."))
    out["code"] = "abcd-efgh";
  return out;
}

} // namespace keyportal
