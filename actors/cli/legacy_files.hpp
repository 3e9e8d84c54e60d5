// The files in which the original portal kept people and keys. Pure: text in, people and keys out, all of it or nothing.
#pragma once

#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "messages/secret.hpp"

namespace keyportal::cli {

inline constexpr std::size_t largest_legacy_file = 64u << 20;

struct legacy_person {
  std::string email; ///< tidy
  std::string name, label;
};
struct legacy_key {
  secret text;
  std::string owner; ///< tidy e-mail address of one of the people; empty: nobody's
  std::string label;
  std::string created_at; ///< RFC 3339; empty: not told
};
struct legacy_file {
  std::vector<legacy_person> people; ///< each once, in the order of their addresses
  std::vector<legacy_key> keys;      ///< each once, in the order of the file
  std::vector<std::string> remarks;  ///< what is odd but hinders nothing
};

/// All give `file_malformed` with the line or the place in the file and the reason, or `file_version`; never a key's text.
/// Moments without a time zone are taken as UTC.
/// {"version":"1.0","users":{email:{"email","name","api_keys":[],"created_at"}},"keys":{key:{"email","label","created_at"}}}:
/// the two halves must agree.
caf::expected<legacy_file> read_user_keys(const std::string& json);
/// {"unused":[],"assigned":{key:email},"total"}
caf::expected<legacy_file> read_key_pool(const std::string& json);
/// {"users":[{"claude_email","feishu_email","name"}]}: the person is the one of Feishu, if there is one; the other address
/// becomes the label.
caf::expected<legacy_file> read_user_mapping(const std::string& json);

} // namespace keyportal::cli
