// What the keys of those who listen used since midnight. Nothing is known of a key until it is used while its owner
// listens; then the analyst is asked once, and what comes is added. Pure.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "messages/actors.hpp"
#include "messages/live.hpp"

namespace keyportal {

/// One thread.
class own_usage {
public:
  /// Somebody listens to his own. Of whoever sees one key only the subject is that key.
  void listen(const live_person& person);
  void leave(const std::string& subject);
  /// His keys, as far as they are known.
  void learn(const std::string& subject, const std::vector<key_id>& keys);
  /// Keys that somebody was given meanwhile.
  void learn(const std::vector<node_event>& events);

  struct news {
    std::vector<std::pair<std::string, live_frame_ptr>> frames;    ///< by subject
    std::vector<std::pair<std::string, usage_question>> questions; ///< likewise; to be answered by `answer`
  };
  /// `day` is midnight before `now`.
  news on(const committed& m, moment day, moment now);
  /// `from` as in the question. `report` null: there is none; it is asked again with the next record.
  news answer(const std::string& subject, moment from, const usage_report* report, moment now);

  [[nodiscard]] std::size_t size() const { return people_.size(); }

private:
  void own(const key_id& key, const std::string& subject);
  struct use {
    sequence seq;
    key_id key;
    totals amount;
  };
  struct listener {
    bool is_key = false; ///< the subject is a key, not a person
    moment day{};        ///< that `today` is of
    bool known = false;  ///< `today` holds what was used before
    bool asked = false;
    std::unordered_map<key_id, totals> today;
    std::vector<use> waiting; ///< came since it was asked
    std::vector<key_id> keys;
  };
  static live_frame_ptr frame(const key_id& key, const totals& today, sequence position, moment now);

  std::unordered_map<std::string, listener> people_;
  std::unordered_map<key_id, std::vector<std::string>> subjects_of_; ///< its owner, and whoever sees only it
};

} // namespace keyportal
