// What is kept of a usage record besides the fields that the ledger counts by. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::cpa {

/// A JSON object in one spelling (plain_json.hpp, names in order), with the places of its members in it.
struct spelt_record {
  struct member {
    std::string_view name;
    std::size_t begin = 0, end = 0;              ///< of `"name":value` in `text`
    bool is_string = false;                      ///< then `string` is the value
    bool is_object = false;                      ///< then these of `inner` are its members
    std::string_view string;                     ///< lives as long as the document that was spelt
    std::size_t first_inner = 0, last_inner = 0; ///< half open
  };
  std::string text;
  std::vector<member> members; ///< of the record
  std::vector<member> inner;   ///< of the objects right within it

  [[nodiscard]] std::string_view spelling(const member& m) const {
    return std::string_view{text}.substr(m.begin, m.end - m.begin);
  }
};

/// Names of upstream headers worth keeping, in lower case: quotas, limits, and ids by which a provider finds a request.
/// `*` stands for any text. Cookies and credentials are none of them.
inline constexpr std::string_view kept_headers[] = {
  "anthropic-ratelimit-*", "x-ratelimit-*", "x-rate-limit-*", "ratelimit*", "x-codex-*", "x-quota-*",
  "retry-after*",          "request-id",    "*-request-id"};

/// Everything but the core fields, as one compact object; see queue_record::extra.
std::string extra_of(const spelt_record& record);

} // namespace keyportal::cpa
