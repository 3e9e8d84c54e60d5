// What is told of long work: how far it has come while it is under way, and once more when it has ended. Pure.
#pragma once

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "messages/live.hpp"

namespace keyportal {

class job_board {
public:
  /// `job` by its name, `state` as its own route tells it. Null: there is nothing new.
  live_frame_ptr on(const std::string& job, bool running, nlohmann::json state);

private:
  struct one {
    bool running = false;
    nlohmann::json state;
  };
  std::map<std::string, one> jobs_;
};

} // namespace keyportal
