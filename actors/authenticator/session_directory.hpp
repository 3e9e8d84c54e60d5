// Who stands behind a request: sessions and tokens in memory, for the gateway's threads. What the log says comes in by
// `learn`; what ends is not found from then on.
#pragma once

#include <functional>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "actors/access/rate_book.hpp"
#include "actors/access/session_book.hpp"
#include "actors/authenticator/access_book.hpp"
#include "messages/access.hpp"

namespace keyportal {

struct directory_settings {
  session_limits limits;
  random_bits token_key{};                         ///< the installation's, as in access_book
  random_bits own_key{};                           ///< of this process: CSRF tokens and tables
  std::uint32_t requests_per_minute = 0;           ///< of a person or token; 0: no limit
  std::uint32_t anonymous_requests_per_minute = 0; ///< of an address
  std::function<moment()> now;                     ///< any thread
};

/// All of it from any thread. Those beyond caller_directory are for the authenticator.
class session_directory final : public caller_directory {
public:
  explicit session_directory(directory_settings settings);

  std::optional<caller> by_session(std::string_view text) override;
  caf::expected<caller> by_token(std::string_view text) override;
  std::string csrf_of(const session& s) const override;
  bool is_csrf_of(const session& s, std::string_view given) const override;
  std::string csrf_before(std::string_view bound_to) const override;
  bool is_csrf_before(std::string_view bound_to, std::string_view given) const override;
  rate take(const caller& who, std::string_view address) override;
  void on_end(std::function<void(const session&)> ended) override;
  void on_change(std::function<void(std::string_view subject)> changed) override;

  /// What an entry of the log means: sessions begin and end, tokens too, people change. Gives what ended by it.
  std::vector<session> learn(const access_news& news);
  /// Ends it now, whatever the log says; nothing when it is over already.
  std::optional<session> end(const digest& id);
  std::vector<session> end_all(std::string_view subject, const digest* but = nullptr);
  /// What is due by time.
  std::vector<session> expire();

  [[nodiscard]] std::optional<session> find(const digest& id) const;
  [[nodiscard]] std::vector<session> of_subject(std::string_view subject) const;
  [[nodiscard]] std::size_t size() const;
  /// Sessions and tokens that did something since the last call and are there still: to be stored.
  struct activity {
    std::vector<session> sessions;
    std::vector<api_token> tokens;
  };
  activity take_activity();

private:
  void tell(const std::vector<session>& ended);

  directory_settings settings_;
  std::chrono::seconds pause_; ///< between two counts of a session's activity
  mutable std::shared_mutex mutex_;
  session_book sessions_;
  std::unordered_map<digest, held_token, digest_hash> tokens_;
  std::unordered_set<digest, digest_hash> active_, used_;
  std::mutex rate_mutex_;
  rate_book known_, unknown_;
  std::mutex told_mutex_;
  std::vector<std::function<void(const session&)>> told_;
  std::vector<std::function<void(std::string_view)>> told_changes_;
};

} // namespace keyportal
