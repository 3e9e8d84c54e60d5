#include "actors/restart_detector/restart_detector.hpp"

namespace keyportal {

restart_detector_actor::behavior_type
restart_detector(restart_detector_actor::stateful_pointer<restart_detector_state> self) {
  return {[self](const observation& seen) { return self->state.rules.judge(seen); }};
}

} // namespace keyportal
