#include "api_keys.hpp"

#include "json.hpp"

#include <algorithm>
#include <charconv>

namespace keyportal::cpa_sim {
namespace {

std::string trimmed(const std::string& text) {
  constexpr const char* blanks = " \t\n\v\f\r";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string::npos)
    return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

void read_list(json_reader& in, std::vector<std::string>& out) {
  out.clear();
  in.array([&] { in.string(out.emplace_back()); });
}

bool in_range(std::int64_t index, const std::vector<std::string>& keys) {
  return index >= 0 && index < static_cast<std::int64_t>(keys.size());
}

} // namespace

void api_keys::advance(steady_time now) {
  if (!due_ || now < *due_)
    return;
  reloaded_ = due_;
  due_.reset();
  shown_ = saved_;
  null_ = absent_;
  enforce();
}

void api_keys::show(std::vector<std::string> keys, bool absent) {
  absent_ = absent;
  null_ = keys.empty() && null_when_emptied_;
  shown_ = std::move(keys);
}

void api_keys::save(steady_time now) {
  saved_ = shown_;
  due_ = now + delay_;
}

void api_keys::enforce() {
  enforced_.clear();
  for (const auto& key : saved_) {
    if (std::string text = trimmed(key); !text.empty())
      enforced_.insert(std::move(text));
  }
}

std::optional<std::string> api_keys::match(const std::vector<std::string>& candidates) const {
  for (const auto& candidate : candidates) {
    if (enforced_.contains(candidate))
      return candidate;
  }
  return std::nullopt;
}

key_change put_keys(std::string_view body) {
  key_change change;
  json_reader list(body);
  read_list(list, change.keys);
  if (list.finish())
    return change;
  json_reader object(body);
  change.keys.clear();
  object.object([&](std::string_view name) {
    if (same_name(name, "items"))
      return read_list(object, change.keys);
    object.skip();
  });
  if (!object.finish() || change.keys.empty())
    change.error = "invalid body";
  return change;
}

key_change patch_keys(const std::vector<std::string>& keys, std::string_view body) {
  std::optional<std::string> old_key, new_key, value;
  std::optional<std::int64_t> index;
  json_reader in(body);
  const auto text = [&](std::optional<std::string>& out) {
    if (!in.null())
      in.string(out.emplace());
  };
  in.object([&](std::string_view name) {
    if (same_name(name, "old"))
      return text(old_key);
    if (same_name(name, "new"))
      return text(new_key);
    if (same_name(name, "value"))
      return text(value);
    if (!same_name(name, "index"))
      return in.skip();
    if (!in.null())
      in.integer(index.emplace());
  });
  key_change change{keys, {}};
  if (!in.ok()) { // what follows the object is not read
    change.error = "invalid body";
  } else if (index && value && in_range(*index, keys)) {
    change.keys[static_cast<std::size_t>(*index)] = *value;
  } else if (old_key && new_key) {
    const auto found = std::find(change.keys.begin(), change.keys.end(), *old_key);
    if (found != change.keys.end()) {
      *found = *new_key;
    } else {
      change.keys.push_back(*new_key);
    }
  } else {
    change.error = "missing fields";
  }
  return change;
}

key_change delete_keys(const std::vector<std::string>& keys, const request& r) {
  key_change change{keys, {}};
  if (const auto text = r.query_value("index")) {
    std::int64_t index = -1;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), index);
    if (error == std::errc{} && end != text->data() && in_range(index, keys)) {
      change.keys.erase(change.keys.begin() + index);
      return change;
    }
  }
  const std::string value = trimmed(r.query_value("value").value_or(""));
  if (value.empty()) {
    change.error = "missing index or value";
    return change;
  }
  std::erase_if(change.keys, [&](const std::string& key) { return trimmed(key) == value; });
  return change;
}

} // namespace keyportal::cpa_sim
