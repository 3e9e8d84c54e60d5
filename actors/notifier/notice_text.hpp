// From facts to words: the templates filled in, in somebody's language, as plain text that can neither format nor ping
// wherever it is shown. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "actors/notifier/notice_kinds.hpp"

namespace keyportal {

/// What a channel is to show.
struct letter {
  std::string title;
  std::vector<std::string> lines;
  std::string button, link; ///< both or none
  std::string footer;       ///< names the notice: who got it twice can tell
};

/// What somebody else wrote, made harmless: one line of at most `longest` characters, without control characters and those
/// that turn the direction of text, and with marks broken by which programs find mentions, links and formats.
std::string harmless(std::string_view text, std::size_t longest = 300);

/// Fills in a kind's words. Facts that are moments are shown in that zone ("" is UTC), amounts with their units.
letter write_letter(const notice_kind& kind, std::string_view language, const nlohmann::json& facts,
                    const std::string& zone, std::string_view base_url, const notice_id& id);

/// The letter as plain text: title, lines, link, footer.
std::string plain_text(const letter& what, bool with_title = true);
/// Cut to at most so many bytes, at the end of a character, with "…".
std::string cut(std::string text, std::size_t bytes);
/// Facts such as there could be, for previews.
nlohmann::json sample_facts(const notice_kind& kind);

} // namespace keyportal
