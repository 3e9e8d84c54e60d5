#include "gateway/pages.hpp"

#include <fmt/format.h>

#include "gateway/assets.hpp"
#include "gateway/problem.hpp"
#include "gateway/wire.hpp"

namespace keyportal::gateway {

page_file make_page(const std::string& base_path, const std::vector<std::string>& frame_ancestors) {
  page_file out;
  const auto* const index = find_asset("/index.html");
  if (index == nullptr)
    return out; // a program without pages: fuzzers
  auto text = plain_text(*index);
  // The build writes addresses as "./…"; below /admin/users they would lead elsewhere.
  const std::string from = "=\"./", to = "=\"" + base_path + "/";
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  const std::string base_from = R"(name="base" content="/")",
                    base_to = R"(name="base" content=")" + base_path + R"(/")";
  if (const auto at = text.find(base_from); at != std::string::npos)
    text.replace(at, base_from.size(), base_to);
  out.text = std::make_shared<const std::string>(std::move(text));
  out.etag =
    base_path.empty() ? std::string(index->etag) : fmt::format("\"{}{}\"", base_path.substr(1), index->etag.substr(1));
  if (!frame_ancestors.empty())
    out.policy = policy_with_frames(frame_ancestors);
  return out;
}

http_response page_answer(const page_file& page, const question& asked) {
  if (!page.text)
    return problem(make_error(errc::not_found, asked.path.substr(0, 200)));
  http_response out;
  out.content_type = "text/html; charset=utf-8";
  out.headers.emplace_back("ETag", page.etag);
  out.headers.emplace_back("Cache-Control", "no-cache"); // kept, but asked about: a new version shows at once
  if (!page.policy.empty())
    out.headers.emplace_back("Content-Security-Policy", page.policy);
  if (asked.if_none_match.find(page.etag) != std::string::npos)
    out.status = 304;
  else
    out.body = page.text;
  return out;
}

} // namespace keyportal::gateway
