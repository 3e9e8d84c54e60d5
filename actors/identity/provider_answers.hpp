// What every provider's answers have in common: JSON, and OAuth's errors. Pure.
#pragma once

#include <string_view>

#include <caf/expected.hpp>
#include <nlohmann/json.hpp>

#include "actors/identity/http_call.hpp"
#include "actors/identity/provider.hpp"
#include "messages/errors.hpp"

namespace keyportal::identity {

/// An error that says at which provider and what it is about.
caf::error problem(errc code, const provider_settings& at, std::string_view about);
/// The caller's error, with the provider's name.
caf::error no_answer(const caf::error& error, const provider_settings& at);

/// The object that an answer with any status holds; provider_answer_wrong (provider_failed with a status of 500 or more)
/// for anything else: another content type than JSON, half a text, a list. `what` says what was asked for.
caf::expected<nlohmann::json> object_of(const http_answer& answer, const provider_settings& at, std::string_view what);

/// What an `error` of RFC 6749 means to us, from a callback or from a token endpoint.
errc meaning_of(std::string_view oauth_error);
/// The error as it may be told: letters and _ only, 64 at most.
std::string shown(std::string_view oauth_error);
/// What a callback with an error comes to.
caf::error callback_error(const callback& back, const provider_settings& at);

/// A member that is a text; empty where there is none.
std::string text_at(const nlohmann::json& of, const char* name);

/// Whether a text can be shown as a code or token in a header: 1 to 8192 printable characters without blanks.
bool is_token(std::string_view text);

} // namespace keyportal::identity
