#include "messages/token_rules.hpp"

#include <algorithm>
#include <limits>

namespace keyportal {

namespace {

enum class family { openai, claude, gemini, unknown };

std::int64_t plus(std::int64_t a, std::int64_t b) {
  std::int64_t sum;
  if (__builtin_add_overflow(a, b, &sum))
    return b < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  return sum;
}

std::int64_t minus(std::int64_t a, std::int64_t b) {
  std::int64_t difference;
  if (__builtin_sub_overflow(a, b, &difference))
    return b < 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
  return difference;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_letter(char a, char b) { return lower(a) == b; }

bool begins(std::string_view name, std::string_view word) {
  return name.size() >= word.size()
         && std::equal(word.begin(), word.end(), name.begin(), [](char w, char n) { return same_letter(n, w); });
}

bool has(std::string_view name, std::string_view word) {
  return std::search(name.begin(), name.end(), word.begin(), word.end(), same_letter) != name.end();
}

family family_of_provider(std::string_view provider) {
  if (begins(provider, "openai-compat")) // the rest is a name its owner chose, "claude" perhaps
    return family::openai;
  for (const std::string_view word : {"claude", "anthropic"})
    if (has(provider, word))
      return family::claude;
  for (const std::string_view word : {"gemini", "aistudio", "antigravity", "vertex", "interaction"})
    if (has(provider, word))
      return family::gemini;
  for (const std::string_view word : {"openai", "codex", "xai", "grok", "kimi", "qwen", "deepseek", "openrouter"})
    if (has(provider, word))
      return family::openai;
  return family::unknown;
}

family family_of_model(std::string_view model) {
  if (begins(model, "claude"))
    return family::claude;
  return begins(model, "gemini") ? family::gemini : family::openai;
}

/// Whether a part cannot lie in that whole. Negative counts come from imports and prove nothing.
bool exceeds(std::int64_t part, std::int64_t whole) { return part > 0 && part > whole; }

token_parts divide(const token_evidence& e, family kind) {
  const auto& raw = e.raw;
  auto read = e.cache_read;
  // Before 7.0.3 there is only `cached`: what was read, or what was written when nothing was read.
  if (read == 0 && raw.cached != e.cache_creation)
    read = raw.cached;
  const auto cache = plus(read, e.cache_creation);
  const bool cache_inside = kind != family::claude, reasoning_inside = kind != family::gemini;

  token_parts parts;
  if ((cache_inside && exceeds(cache, raw.input)) || (reasoning_inside && exceeds(raw.reasoning, raw.output))) {
    parts.unclassified = plus(raw.input, raw.output);
    if (!cache_inside)
      parts.unclassified = plus(parts.unclassified, cache);
    if (!reasoning_inside)
      parts.unclassified = plus(parts.unclassified, raw.reasoning);
    return parts;
  }
  parts.uncached_input = cache_inside ? minus(raw.input, cache) : raw.input;
  parts.cache_read = read;
  parts.cache_write = e.cache_creation;
  parts.output = reasoning_inside ? minus(raw.output, raw.reasoning) : raw.output;
  parts.reasoning = raw.reasoning;
  return parts;
}

} // namespace

token_parts normalise_tokens(const token_evidence& e) {
  using quality = token_breakdown::quality;
  auto kind = family_of_provider(e.provider);
  if (e.breakdown && (e.breakdown->how != quality::unclassified || kind == family::unknown))
    return e.breakdown->parts;
  if (kind == family::unknown)
    kind = family_of_model(e.model);

  auto parts = divide(e, kind);
  const auto& raw = e.raw;
  // What the provider said, or claude's total before 7.1.26; else CPA's stopgap for a provider that said nothing, which
  // newer versions work out without reasoning: it tells nothing.
  const auto both = plus(raw.input, raw.output), stopgap = plus(both, raw.reasoning);
  if (raw.total == both || raw.total == stopgap || (stopgap == 0 && raw.total == raw.cached))
    return parts;
  const auto known = parts.total();
  if (raw.total > known)
    parts.unclassified = plus(parts.unclassified, minus(raw.total, known));
  return parts;
}

token_parts parts_by_model(std::string_view model, const token_counts& raw) {
  token_evidence evidence;
  evidence.model = model;
  evidence.raw = raw;
  return normalise_tokens(evidence);
}

} // namespace keyportal
