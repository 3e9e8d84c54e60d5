// Everything that was used, as `GET /usage` of CLIProxyAPI shows it. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "messages/actors.hpp"

namespace keyportal::compat {

/// Takes text; false: nobody wants more of it.
using text_sink = std::function<bool(std::string_view)>;

/// Records are held in 72 bytes each and written once; the text never exists as a whole. Within one list they stand in
/// the order in which they were added: whoever looks again finds new ones at the end only.
class usage_sheet {
public:
  void add(const arrival& one);
  /// An entry among the client keys, also if nobody used it (tools leave such entries to recognise a process by).
  void add_entry(const std::string& client_key);

  /// `GET /usage`: `failed_requests` beside `usage`.
  bool write_usage(const text_sink& to) &&;
  /// `GET /usage/export`, version 1.
  bool write_export(moment exported_at, const text_sink& to) &&;

private:
  struct row {
    std::int64_t at_ns = 0;
    std::int16_t offset_minutes = 0;
    bool failed = false;
    std::uint32_t source = 0;
    std::uint32_t auth_index = 0;
    std::int64_t latency_ms = 0;
    token_counts tokens;
  };
  struct model_list {
    std::deque<row> rows;
    std::int64_t tokens = 0;
  };
  struct bucket {
    std::int64_t requests = 0;
    std::int64_t tokens = 0;
  };
  /// Texts that occur again and again, by number.
  class texts {
  public:
    std::uint32_t number_of(const std::string& text);
    [[nodiscard]] std::string_view operator[](std::uint32_t number) const { return all_[number]; }

  private:
    std::unordered_map<std::string, std::uint32_t> numbers_;
    std::vector<std::string_view> all_;
  };

  bool write_snapshot(const text_sink& to, std::string begin);
  void append_row(std::string& out, const row& r) const;

  std::map<std::string, std::map<std::string, model_list>> apis_; ///< in the order in which CLIProxyAPI writes keys
  std::map<std::int64_t, bucket> days_;                           ///< by day since 1970
  std::array<bucket, 24> hours_{};
  std::int64_t requests_ = 0, failed_ = 0, tokens_ = 0;
  texts names_;
};

} // namespace keyportal::compat
