#include "gateway/problem.hpp"

#include <nlohmann/json.hpp>

#include "messages/errors.hpp"
#include "messages/json.hpp"

namespace keyportal::gateway {

http_response problem(const caf::error& error, int status) {
  const auto& row = row_of(code_of(error));
  http_response out;
  out.status = status ? status : row.http_status;
  if (out.status < 400) // an error that says all is well is a mistake of ours
    out.status = 500;
  out.content_type = "application/problem+json";
  nlohmann::json body = {{"type", "urn:keyportal:problem:" + std::string(row.name)},
                         {"title", row.sentence},
                         {"status", out.status},
                         {"code", row.name}};
  if (auto about = about_of(error); !about.empty())
    body["detail"] = std::move(about);
  out.body = std::make_shared<const std::string>(dump(body));
  if (out.status == 503 || out.status == 429)
    out.headers.emplace_back("Retry-After", "2");
  if (out.status == 401)
    out.headers.emplace_back("WWW-Authenticate", "Bearer");
  return out;
}

} // namespace keyportal::gateway
