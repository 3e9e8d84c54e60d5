// The head of a request as Boost.Beast has read it, looked at before anything else is done with it. Pure. Includes
// Boost.Beast: for what reads requests and the fuzzer.
#pragma once

#include <optional>

#include <boost/beast/http/message.hpp>

#include "gateway/host_rules.hpp"
#include "messages/http.hpp"

namespace keyportal::gateway {

using request_header = boost::beast::http::request_header<>;

/// Whether all who read this head see the body end in the same place. Beast takes a coding that it does not know for no
/// body at all; a proxy before us may not, and what it took for a body would be the next request here.
bool is_plain_body(const request_header& head);

/// Fills all of `into` but `peer` and `body`. An answer that refuses it if it is not taken: no or more than one Host, one
/// that is not ours, a body whose end two readers could see in two places, an Origin that is not ours on what does
/// something, an address that is not plain.
/// `base` (as "/keys") is taken off the beginning of the path where it stands there.
std::optional<http_response> take_head(const request_header& head, const host_rules& hosts, std::string_view base,
                                       http_request& into);

} // namespace keyportal::gateway
