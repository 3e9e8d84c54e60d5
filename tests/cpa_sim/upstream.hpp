// The model provider behind the stand-in: answers client calls and says what was attempted.
#pragma once

#include "http.hpp"
#include "options.hpp"
#include "record.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

/// The client API a call came by; decides the form of the answer.
enum class client_api { chat, messages, responses, gemini };

/// A provider with some credentials, tried in turn. The prompt steers it: `in=900 out=120 cached=300 reason=40
/// total=0` set tokens, `status=429` makes every credential fail, `nousage=1` leaves the usage out,
/// `usagenull=1` puts an empty one into the early chunks of a stream, which makes CPA record no tokens.
/// Not thread-safe.
class fake_upstream {
public:
  fake_upstream(const options& o, std::int64_t started_unix) : options_(o), started_(started_unix) {}

  struct outcome {
    answer reply;
    std::vector<record> attempts; ///< one per credential tried; none for a model nobody has
  };
  /// `model_in_path` is set for the Gemini form. `api` is what the records are filed under. While the provider is not
  /// `registered`, every model is unknown.
  outcome call(client_api form, const request& r, const std::string& model_in_path, const std::string& api,
               const instant& now, bool registered);
  /// Counting tokens is a success of the credential and no record.
  answer count_tokens(const instant& now);
  [[nodiscard]] answer models() const;
  [[nodiscard]] answer gemini_models() const;
  /// Body of `GET /api-key-usage`: success and failure per credential in 20 buckets of 10 minutes.
  [[nodiscard]] std::string key_usage_json(const instant& now) const;

private:
  struct tally {
    std::int64_t success = 0;
    std::int64_t failed = 0;
    std::map<std::int64_t, std::array<std::int64_t, 2>> buckets; // by ten-minute number, wall clock
  };
  void count(const std::string& key, bool failed, const instant& now);

  options options_;
  std::int64_t started_;
  std::uint64_t answers_ = 0;
  std::map<std::string, std::size_t> turn_; // next credential, by model
  std::map<std::string, tally> tallies_;
};

} // namespace keyportal::cpa_sim
