// Which kinds an event is, and the facts for their words. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "actors/notifier/notice_kinds.hpp"

namespace keyportal {

struct notice_news {
  const notice_kind* kind = nullptr;
  nlohmann::json facts; ///< texts, numbers and moments, each by name; no secret
  std::string about;    ///< what must not be told again for a while: a key, a node, an account of a node
  user_id owner;        ///< whose key it is, or the person it is about; empty: nobody's
};

/// How people tell a key of which an event says only the id: "label (sk-kp…a1b2)"; empty when nobody knows.
using key_names = std::function<std::string(const key_id&)>;

/// Usually none or one.
std::vector<notice_news> news_of(const node_event& event, const key_names& name_of_key);

} // namespace keyportal
