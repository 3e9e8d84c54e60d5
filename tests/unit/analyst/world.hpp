// A ledger of random records, and the same records as a plain list to reckon with.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "actors/analyst/analysis.hpp"
#include "sample.hpp"

namespace keyportal::test {

using storage::test::must;

/// One attempt with all that can be asked about it.
struct attempt {
  record_id id;
  node_name node;
  key_id key;
  std::string model, account, source;
  stamped_time at;
  std::int64_t latency_ms = 0;
  token_counts tokens;
  token_parts parts;
  bool failed = false;
  std::optional<attempt_facts> facts;
  std::optional<std::int64_t> cost_nano;
  std::uint64_t round = 0; ///< of the commit that brought it
};

class world {
public:
  explicit world(std::uint32_t seed);
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  /// Commits records at random moments of [from, to), `now` being the end, in random order.
  void use(std::size_t records, moment from, moment to);
  /// Gives a key an owner from then on.
  void give(int key, const user_id& owner, moment since);

  /// Puts somebody into these groups from then on; later than any move of before.
  void move_to(const user_id& who, std::vector<group_name> groups, moment since);

  [[nodiscard]] usage_report ask(const usage_question& question) {
    return must(desk.answer(ask_usage{question, {}, {}}, now));
  }
  [[nodiscard]] record_page ask(const record_question& question) {
    return must(desk.answer(ask_records{question, {}, {}, {}}, now));
  }
  [[nodiscard]] key_id id_of(int key) const { return store->id_of_key(text_of(key)); }
  static std::string text_of(int key) { return "sk-person-" + std::to_string(key); }

  /// A value of the dimension, as a report tells it. Of users and groups by the hour.
  [[nodiscard]] std::string value_of(const attempt& one, usage_by by, const std::string& zone) const;
  [[nodiscard]] bool fits(const attempt& one, const usage_filter& where, const std::string& zone) const;
  [[nodiscard]] std::size_t pick(std::size_t below) { return random() % below; }

  std::mt19937 random;
  storage::test::scratch_folder folder;
  std::shared_ptr<storage::ledger> store;
  analysis desk;
  std::vector<attempt> attempts;
  moment now{};
  std::uint64_t rounds = 0;
  static constexpr int keys = 7;

private:
  struct owned {
    user_id by;
    moment since{};
  };
  std::map<key_id, owned> owners_;
  std::map<user_id, user> people_;
  log_position log_ = 0;
};

usage_sums sums_of(const attempt& one);
/// In that zone, by the C library: another reckoning than the one that is tested.
struct local_time {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, weekday = 1;
};
local_time local(std::int64_t unix_ns, const std::string& zone);

} // namespace keyportal::test
