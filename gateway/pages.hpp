// The pages: one file for all of them, as it is shown where this process is reached. Pure.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/routes.hpp"

namespace keyportal::gateway {

/// Ready to be sent; shared by all answers.
struct page_file {
  std::shared_ptr<const std::string> text; ///< null: the program was built without pages
  std::string etag;                        ///< quoted
  std::string policy;                      ///< Content-Security-Policy; empty: the strict one
};

/// index.html with its addresses below `base_path` (as "/keys", or empty), in frames of pages of these origins.
page_file make_page(const std::string& base_path, const std::vector<std::string>& frame_ancestors);

/// The page; 304 for who has it.
http_response page_answer(const page_file& page, const question& asked);

} // namespace keyportal::gateway
