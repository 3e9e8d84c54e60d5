#include "messages/question_words.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/errors.hpp"

namespace keyportal {

using nlohmann::json;

namespace {

constexpr std::size_t longest = 2048; ///< of one text

caf::error refused(std::string about) { return make_error(errc::bad_request, std::move(about)); }

/// Texts of a field: one, or several as a list. Numbers and truths are read as what they look like.
caf::expected<std::vector<std::string>> texts_of(const std::string& name, const json& value) {
  std::vector<std::string> out;
  if (value.is_string())
    out.push_back(value.get<std::string>());
  else if (value.is_boolean() || value.is_number_integer())
    out.push_back(value.dump());
  else if (value.is_array()) {
    for (const auto& one : value) {
      if (!one.is_string() && !one.is_number_integer())
        return refused(fmt::format("{} has something else than texts in it", name));
      out.push_back(one.is_string() ? one.get<std::string>() : one.dump());
    }
  } else {
    return refused(fmt::format("{} is not of the right kind", name));
  }
  return out;
}

} // namespace

void question_words::add(std::string name, std::vector<std::string> values) {
  auto& to = all_[std::move(name)];
  to.insert(to.end(), std::make_move_iterator(values.begin()), std::make_move_iterator(values.end()));
}

std::vector<std::string> question_words::list(const std::string& name) {
  auto found = all_.extract(name);
  return found ? std::move(found.mapped()) : std::vector<std::string>{};
}

void question_words::text(const std::string& name, std::string& to) {
  auto values = list(name);
  if (values.size() > 1 || (values.size() == 1 && values[0].size() > longest))
    return fail(fmt::format("{} is one text, not too long", name));
  if (!values.empty())
    to = std::move(values[0]);
}

void question_words::number(const std::string& name, std::uint32_t& to, std::uint32_t most) {
  std::string given;
  text(name, given);
  if (given.empty())
    return;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), to);
  if (error != std::errc{} || end != given.data() + given.size() || to < 1 || to > most)
    fail(fmt::format("{} is a number from 1 to {}", name, most));
}

void question_words::yes_or_no(const std::string& name, bool& to) {
  std::string given;
  text(name, given);
  if (given == "1" || given == "true" || given == "yes")
    to = true;
  else if (!given.empty() && given != "0" && given != "false" && given != "no")
    fail(fmt::format("{} is true or false", name));
}

void question_words::filters(usage_filter& to) {
  for (std::size_t i = 0; i < usage_by_count; ++i) {
    const auto by = static_cast<usage_by>(i);
    if (all_.contains(std::string(name_of(by))))
      to[by] = list(std::string(name_of(by)));
  }
}

void question_words::dimensions(std::vector<usage_by>& to) {
  for (const auto& one : list("by")) {
    if (const auto known = usage_by_of(one))
      to.push_back(*known);
    else
      fail("by is node, key, user, group, model, alias, provider, account, endpoint, outcome, status, weekday or hour");
  }
}

void question_words::first_weekday(bool& sunday) {
  std::string week = "monday";
  text("week", week);
  if (week != "monday" && week != "sunday")
    fail("week is monday or sunday, the day it begins with");
  sunday = week == "sunday";
}

void question_words::fail(std::string about) {
  if (!error_)
    error_ = refused(std::move(about));
}

caf::error question_words::finish() {
  if (!error_ && !all_.empty())
    error_ = refused(fmt::format("{} is not known here", all_.begin()->first.substr(0, 40)));
  return std::move(error_);
}

question_words question_words_of(const std::vector<std::pair<std::string, std::string>>& query) {
  question_words out;
  for (const auto& [name, value] : query) {
    std::vector<std::string> values;
    if (name == "by" || name == "metrics") {
      for (std::size_t at = 0; at <= value.size();) {
        const auto end = std::min(value.find(',', at), value.size());
        if (end > at)
          values.push_back(value.substr(at, end - at));
        at = end + 1;
      }
    } else {
      values.push_back(value);
    }
    out.add(name, std::move(values));
  }
  return out;
}

caf::expected<question_words> question_words_of(std::string_view body) {
  const auto given = json::parse(body.begin(), body.end(), nullptr, false);
  if (!given.is_object())
    return refused("the body is a JSON object");
  question_words out;
  const auto take = [&](const json& object, bool filters) -> caf::error {
    for (const auto& [name, value] : object.items()) {
      if (filters != usage_by_of(name).has_value())
        return refused(fmt::format("{} is not known here", name.substr(0, 40)));
      auto texts = texts_of(name.substr(0, 40), value);
      if (!texts)
        return std::move(texts.error());
      out.add(name, std::move(*texts));
    }
    return {};
  };
  auto rest = given;
  if (const auto where = rest.find("where"); where != rest.end()) {
    if (!where->is_object())
      return refused("where is an object of lists");
    if (auto wrong = take(*where, true))
      return wrong;
    rest.erase(where);
  }
  if (auto wrong = take(rest, false))
    return wrong;
  return out;
}

} // namespace keyportal
