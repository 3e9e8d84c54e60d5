// The model provider behind the stand-in: answers client calls and says what was attempted.
#pragma once

#include "credentials.hpp"
#include "http.hpp"
#include "options.hpp"

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
  fake_upstream(const options& o, const traits& t, std::int64_t started_unix)
    : options_(o), traits_(t), credentials_(credentials_of(o, t)), started_(started_unix) {}

  /// Who calls, as records say it.
  struct caller {
    std::string key;      ///< the client key, empty when nobody had to show one
    std::string endpoint; ///< method and route
    std::uint32_t request_id = 0;
  };
  struct outcome {
    answer reply;
    std::vector<attempt> attempts; ///< one per credential tried; none for a model nobody has
  };
  /// `model_in_path` is set for the Gemini form. While the provider is not `registered`, every model is unknown.
  outcome call(client_api form, const request& r, const std::string& model_in_path, const caller& who,
               const instant& now, bool registered);
  /// Counting tokens is a success of this credential and no record.
  [[nodiscard]] const credential* counter() const;
  [[nodiscard]] answer models() const;
  [[nodiscard]] answer gemini_models() const;

private:
  [[nodiscard]] std::vector<const credential*> providers_of(const std::string& model, std::string& upstream) const;

  options options_;
  traits traits_;
  std::vector<credential> credentials_;
  std::int64_t started_;
  std::uint64_t answers_ = 0;
  std::map<std::string, std::size_t> turn_; // next credential, by model
};

/// The answer of a successful token count.
answer token_count_answer();

} // namespace keyportal::cpa_sim
