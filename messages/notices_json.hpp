// Notices as JSON: on disk, and in answers, where addresses are shown but codes never are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "messages/notices.hpp"

namespace keyportal {

std::string_view name_of(notice_state state);   // "waiting", "sending", "delivered", …
std::string_view name_of(notice_weight weight); // "news", "warning", "alarm"
std::optional<notice_state> notice_state_of(std::string_view name);

nlohmann::json to_json(const notice_record& n);
nlohmann::json to_json(const notice_page& p);
nlohmann::json to_json(const notice_preview& p);
nlohmann::json to_json(const notice_preferences& p);
nlohmann::json to_json(const notices_state& s);

// --- as they are kept ---
std::string dump_stored(const notice_record& n); ///< without `state`
bool read_stored(std::string_view text, notice_record& out);
std::string dump_stored(const notice_preferences& p); ///< without `user`
bool read_stored(std::string_view text, notice_preferences& out);

/// The fields of to_json(notice_preferences); `bad_request` names what is wrong. `user` is the caller's.
caf::expected<notice_preferences> read_notice_preferences_body(std::string_view body);

} // namespace keyportal
