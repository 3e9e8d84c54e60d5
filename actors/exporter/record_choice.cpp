#include "actors/exporter/record_choice.hpp"

#include "messages/errors.hpp"

namespace keyportal {

record_choice::record_choice(const export_plan& plan, std::shared_ptr<const export_view> view)
  : view_(std::move(view)) {
  question_.where = plan.asked.where;
  question_.text = plan.asked.text;
  walk_.first_ns = plan.first_ns;
  walk_.end_ns = plan.end_ns;
  walk_.newest_first = false;
}

caf::error record_choice::prepare() {
  if (auto wrong = filter_.prepare(question_, *view_->books, view_->people->owners))
    return wrong;
  walk_.up_to = view_->books->position();
  for (const auto& node : view_->books->nodes())
    if (filter_.wants_node(node))
      walk_.nodes.push_back(node);
  nothing_ = filter_.finds_nothing();
  filter_.aim(walk_);
  sparse_ = static_cast<bool>(walk_.wanted);
  return {};
}

} // namespace keyportal
