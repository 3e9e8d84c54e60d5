// The client keys of a node: what the management API shows, what config.yaml holds, what is enforced.
#pragma once

#include "management_auth.hpp" // steady_time

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

/// Three lists that differ for a moment after each write. Not thread-safe; time is an argument.
///
/// A write changes the shown list at once and the file with it; a reload of the file, `delay` after the last write,
/// makes it the enforced one. While such a reload runs (`run`), a further write is answered well and yet lost.
class api_keys {
public:
  /// `null_when_emptied`: an emptied list is shown as null until the reload, as in era A.
  api_keys(std::vector<std::string> keys, std::chrono::milliseconds delay, std::chrono::milliseconds run,
           bool null_when_emptied = true)
    : shown_(keys), saved_(keys), delay_(delay), run_(run), null_when_emptied_(null_when_emptied) {
    enforce();
  }

  /// Lets a reload that is due happen. Every other call expects it to have been called for that moment.
  void advance(steady_time now);

  /// What `GET /api-keys` shows; `null` right after the list was emptied, until the reload.
  [[nodiscard]] const std::vector<std::string>& shown() const { return shown_; }
  [[nodiscard]] bool shown_as_null() const { return null_; }
  /// What the file holds.
  [[nodiscard]] const std::vector<std::string>& saved() const { return saved_; }

  /// True when a write arriving now is lost.
  [[nodiscard]] bool reloading(steady_time now) const { return reloaded_ && now < *reloaded_ + run_; }

  /// The list a management write leaves. It is shown from now on even when the file cannot be written. `absent`: the
  /// file has no such section, so null is shown after the reload too.
  void show(std::vector<std::string> keys, bool absent = false);
  /// The file was written: it holds the shown list, enforced after `delay`.
  void save(steady_time now);

  /// The first of `candidates` that is enforced. Nothing is enforced when there are no keys: see `open()`.
  [[nodiscard]] std::optional<std::string> match(const std::vector<std::string>& candidates) const;
  /// True when anybody may call, because no key is enforced.
  [[nodiscard]] bool open() const { return enforced_.empty(); }
  [[nodiscard]] std::size_t enforced() const { return enforced_.size(); }

private:
  void enforce();

  std::vector<std::string> shown_, saved_;
  bool null_ = false;
  bool absent_ = false;
  std::set<std::string> enforced_; // trimmed, no blanks
  std::chrono::milliseconds delay_, run_;
  bool null_when_emptied_;
  std::optional<steady_time> due_;
  std::optional<steady_time> reloaded_;
};

/// How a body or query changes the list: the new list, or the error of a 400 answer.
struct key_change {
  std::vector<std::string> keys;
  std::string error;
};
key_change put_keys(std::string_view body);
key_change patch_keys(const std::vector<std::string>& keys, std::string_view body);
key_change delete_keys(const std::vector<std::string>& keys, const request& r);

} // namespace keyportal::cpa_sim
