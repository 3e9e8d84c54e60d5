// A question as it came, in the query of an address or in a body: fields with texts, taken one by one. For what reads
// questions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/expected.hpp>

#include "messages/usage.hpp"

namespace keyportal {

/// The first thing that is wrong is kept; it names the field and repeats nothing of what was in it.
class question_words {
public:
  void add(std::string name, std::vector<std::string> values);
  /// Each takes the field out; `to` stays as it is where there is none.
  std::vector<std::string> list(const std::string& name);
  void text(const std::string& name, std::string& to);
  void number(const std::string& name, std::uint32_t& to, std::uint32_t most);
  void yes_or_no(const std::string& name, bool& to);
  void filters(usage_filter& to);
  /// What "by" names, and whether "week" is "sunday".
  void dimensions(std::vector<usage_by>& to);
  void first_weekday(bool& sunday);

  void fail(std::string about);
  /// `bad_request`, also for a field that nobody took.
  [[nodiscard]] caf::error finish();

private:
  std::map<std::string, std::vector<std::string>> all_;
  caf::error error_;
};

/// Lists with commas where the field is "by", else repeated.
question_words question_words_of(const std::vector<std::pair<std::string, std::string>>& query);
/// {…, "where": {filter: […]}}
caf::expected<question_words> question_words_of(std::string_view body);

} // namespace keyportal
