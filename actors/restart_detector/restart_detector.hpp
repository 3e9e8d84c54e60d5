// RESTART DETECTOR: judges what polls of one node saw.
#pragma once

#include "actors/restart_detector/restart_rules.hpp"

namespace keyportal {

struct restart_detector_state {
  restart_detector_state() = default;
  static inline const char* name = "restart-detector";
  restart_rules rules;
};

restart_detector_actor::behavior_type
restart_detector(restart_detector_actor::stateful_pointer<restart_detector_state> self);

} // namespace keyportal
