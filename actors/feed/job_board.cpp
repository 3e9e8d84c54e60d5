#include "actors/feed/job_board.hpp"

namespace keyportal {

live_frame_ptr job_board::on(const std::string& job, bool running, nlohmann::json state) {
  auto& known = jobs_[job];
  const bool news = (running || known.running) && (known.running != running || known.state != state);
  known.running = running;
  if (!news)
    return nullptr;
  known.state = std::move(state);
  return make_frame({{"type", "job"}, {"job", job}, {"running", running}, {"state", known.state}}, 0, "job " + job);
}

} // namespace keyportal
