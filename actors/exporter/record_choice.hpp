// Which records an export has, as a walk through the ledger.
#pragma once

#include <memory>
#include <string>

#include "actors/analyst/record_filter.hpp"
#include "actors/exporter/export_source.hpp"

namespace keyportal {

/// Stays where it is.
class record_choice {
public:
  record_choice(const export_plan& plan, std::shared_ptr<const export_view> view);
  record_choice(const record_choice&) = delete;
  record_choice& operator=(const record_choice&) = delete;

  /// `bad_request` for filters that make no sense of records.
  [[nodiscard]] caf::error prepare();
  [[nodiscard]] caf::error failed() const { return filter_.failed(); }
  [[nodiscard]] bool finds_nothing() const { return nothing_; }
  /// The walk through all of them.
  [[nodiscard]] const storage::ledger::reading::record_walk& walk() const { return walk_; }
  [[nodiscard]] const storage::ledger::reading& books() const { return *view_->books; }
  /// Whether there may be many records that are passed over between two that are wanted.
  [[nodiscard]] bool is_sparse() const { return sparse_; }

private:
  std::shared_ptr<const export_view> view_;
  record_question question_;
  record_filter filter_;
  storage::ledger::reading::record_walk walk_;
  bool sparse_ = false;
  bool nothing_ = false;
};

/// Texts of names by their numbers, made ready once each. What is kept of them is bounded.
template <class Make>
class ready_names {
public:
  explicit ready_names(Make make) : make_(std::move(make)) {}
  /// Valid until the next call. Null: it cannot be read, see `failed`.
  const std::string* get(storage::name_kind kind, storage::name_number number) {
    if (number < texts_.size() && texts_[number].first)
      return &texts_[number].second;
    auto made = make_(kind, number);
    if (!made) {
      failed_ = std::move(made.error());
      return nullptr;
    }
    if (number >= most_numbers) {
      other_ = std::move(*made);
      return &other_;
    }
    if (bytes_ > most_bytes)
      forget();
    bytes_ += made->size() + sizeof(std::pair<bool, std::string>);
    if (number >= texts_.size())
      texts_.resize(number + std::size_t{1});
    texts_[number] = {true, std::move(*made)};
    return &texts_[number].second;
  }
  [[nodiscard]] caf::error& failed() { return failed_; }

private:
  static constexpr std::size_t most_bytes = std::size_t{8} << 20;
  static constexpr storage::name_number most_numbers = 200'000;
  void forget() {
    texts_.clear();
    bytes_ = 0;
  }
  Make make_;
  std::vector<std::pair<bool, std::string>> texts_;
  std::string other_;
  std::size_t bytes_ = 0;
  caf::error failed_;
};

} // namespace keyportal
