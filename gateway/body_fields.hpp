// Reads JSON bodies field by field. For what reads bodies.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/expected.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/errors.hpp"
#include "messages/registry_json.hpp"

namespace keyportal::gateway {

inline constexpr std::size_t most_in_list = 1000; ///< nodes, groups: more is a mistake

/// The fields of one object: each is asked for by name, then `finish` says what was wrong first, or what is left over.
class fields {
public:
  using json = nlohmann::json;

  explicit fields(std::string_view body)
    : all_(body.empty() ? json::object() : json::parse(body.begin(), body.end(), nullptr, false)) {
    check();
  }
  /// `where` is put in front of names, as in "keys[3].".
  fields(json object, std::string where) : all_(std::move(object)), where_(std::move(where)) { check(); }

  [[nodiscard]] bool has(const char* name) const { return all_.is_object() && all_.contains(name); }
  void text(const char* name, std::string& to, bool needed = false) {
    if (const auto* value = find(name, needed, "a text", [](const json& v) { return v.is_string(); }))
      to = value->get<std::string>();
  }
  void text(const char* name, std::optional<std::string>& to) {
    if (all_.contains(name))
      text(name, to.emplace());
  }
  void boolean(const char* name, bool& to, bool needed = false) {
    if (const auto* value = find(name, needed, "true or false", [](const json& v) { return v.is_boolean(); }))
      to = value->get<bool>();
  }
  /// From `least` to `most`.
  void whole(const char* name, std::optional<std::int64_t>& to, std::int64_t least,
             std::int64_t most = std::numeric_limits<std::int64_t>::max(), bool needed = false) {
    const auto fits = [&](const json& v) {
      return v.is_number_unsigned() ? v.get<std::uint64_t>() <= static_cast<std::uint64_t>(most)
                                        && v.get<std::uint64_t>() >= static_cast<std::uint64_t>(least)
                                    : v.is_number_integer() && v.get<std::int64_t>() >= least; // a negative one
    };
    if (const auto* value = find(name, needed, "a whole number in its range", fits))
      to = value->get<std::int64_t>();
  }
  void texts(const char* name, std::optional<std::vector<std::string>>& to) {
    const auto fits = [](const json& v) {
      return v.is_array() && v.size() <= most_in_list
             && std::all_of(v.begin(), v.end(), [](const json& one) { return one.is_string(); });
    };
    if (const auto* value = find(name, false, "a list of texts", fits))
      to = value->get<std::vector<std::string>>();
  }
  void budgets(const char* name, std::optional<std::vector<budget>>& to) {
    const auto* value = find(name, false, "a list of budgets", [](const json& v) { return v.is_array(); });
    if (value == nullptr)
      return;
    for (std::size_t i = 0; i < value->size(); ++i)
      if (auto wrong = only_known((*value)[i], {"unit", "window", "amount"}, fmt::format("{}[{}].", name, i)))
        return fail(std::move(wrong));
    if (auto read = budgets_from(*value))
      to = std::move(*read);
    else
      fail(name, "a list of {\"unit\",\"window\",\"amount\"}");
  }
  const json* array(const char* name, std::size_t most) {
    return find(name, true, fmt::format("a list of at most {}", most),
                [most](const json& v) { return v.is_array() && v.size() <= most; });
  }
  template <class T, class Read>
  void word(const char* name, std::optional<T>& to, Read read, std::string_view choices, bool needed = false) {
    std::string given;
    if (!all_.contains(name) && !needed)
      return;
    text(name, given, needed);
    to = read(given);
    if (!to)
      fail(name, choices);
  }
  void fail(const char* name, std::string_view wanted) {
    fail(refused(fmt::format("{}{} is {}", where_, name, wanted)));
  }

  [[nodiscard]] caf::error finish() {
    if (!error_)
      error_ = only_known(all_, known_, where_);
    return std::move(error_);
  }

private:
  static caf::error refused(std::string about) { return make_error(errc::bad_request, std::move(about)); }
  void check() {
    if (!all_.is_object())
      fail(
        refused(where_.empty() ? "the body is a JSON object" : where_.substr(0, where_.size() - 1) + " is an object"));
  }
  template <class Fits>
  const json* find(const char* name, bool needed, std::string_view wanted, Fits fits) {
    known_.insert(name);
    if (!all_.is_object())
      return nullptr;
    const auto found = all_.find(name);
    if (found == all_.end()) {
      if (needed)
        fail(refused(fmt::format("{}{} is missing", where_, name)));
      return nullptr;
    }
    if (fits(*found))
      return &*found;
    fail(name, wanted);
    return nullptr;
  }
  void fail(caf::error error) {
    if (!error_)
      error_ = std::move(error);
  }
  static caf::error only_known(const json& object, const std::set<std::string>& known, const std::string& where) {
    if (!object.is_object())
      return refused(where.substr(0, where.size() - 1) + " is an object");
    for (const auto& [name, value] : object.items())
      if (!known.contains(name))
        return refused(fmt::format("{}{} is not known here", where, name.substr(0, 60)));
    return {};
  }

  json all_;
  std::string where_;
  std::set<std::string> known_;
  caf::error error_;
};

/// What was read, unless something was wrong.
template <class T>
caf::expected<T> finished(fields& all, T& out) {
  if (auto error = all.finish())
    return error;
  return std::move(out);
}

} // namespace keyportal::gateway
