// People, keys and the audit log as rows. No text of a key is ever read.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/exporter/export_source.hpp"
#include "messages/json.hpp"
#include "messages/registry_json.hpp"

namespace keyportal {
namespace {

/// "tokens/month=1000000"; of money in dollars.
std::vector<std::string> texts_of(const std::vector<budget>& budgets) {
  std::vector<std::string> out;
  for (const auto& one : budgets) {
    auto& text = out.emplace_back(fmt::format("{}/{}=", to_text(one.unit), to_text(one.window)));
    if (one.unit == budget_unit::cost)
      append_dollars(text, one.amount);
    else
      text += std::to_string(one.amount);
  }
  return out;
}

/// What all three have in common: rows that are visited from a place on.
class registry_rows : public export_source {
public:
  registry_rows(const export_plan& plan, std::shared_ptr<const export_view> view, std::vector<std::string> columns)
    : view_(std::move(view)), rows_(plan.asked.format, std::move(columns)), zone_(plan.zone),
      head_(rows_.head(plan.asked.byte_order_mark)) {}

  caf::expected<bool> write(export_place& at, std::string& out, std::size_t bytes) override {
    const auto began = out.size();
    if (!at.begun) {
      at.begun = true;
      out += head_;
    }
    bool more = false;
    const auto is_full = [&] {
      more = out.size() - began >= bytes;
      return more;
    };
    if (auto failed = visit(at, out, is_full))
      return failed;
    return more;
  }

protected:
  /// Writes the rows behind the place until there are none, or `is_full` before one.
  virtual caf::error visit(export_place& at, std::string& out, const std::function<bool()>& is_full) = 0;

  void at(std::string& out, moment when) { rows_.at(out, zone_, unix_ns(when)); }
  void at(std::string& out, const std::optional<moment>& when) { when ? at(out, *when) : rows_.none(out); }
  void person(std::string& out, const user_id& id) {
    rows_.text(out, id);
    rows_.text(out, view_->people->email_of(id));
  }

  std::shared_ptr<const export_view> view_;
  row_writer rows_;

private:
  moment_text zone_;
  std::string head_;
};

class user_rows final : public registry_rows {
public:
  user_rows(const export_plan& plan, std::shared_ptr<const export_view> view)
    : registry_rows(
      plan, std::move(view),
      {"id", "email", "name", "label", "role", "state", "groups", "budgets", "created_at", "changed_at"}) {}

private:
  caf::error visit(export_place& place, std::string& out, const std::function<bool()>& is_full) override {
    return view_->books->each_user(place.text, [&](user&& one) {
      if (is_full())
        return false;
      rows_.text(out, one.id);
      rows_.text(out, one.email);
      rows_.text(out, one.name);
      rows_.text(out, one.label);
      rows_.text(out, to_text(one.role));
      rows_.text(out, to_text(one.state));
      rows_.list(out, one.groups);
      rows_.list(out, texts_of(one.budgets));
      at(out, one.created_at);
      at(out, one.changed_at);
      rows_.end_row(out);
      place.text = std::move(one.id);
      return true;
    });
  }
};

class key_rows final : public registry_rows {
public:
  key_rows(const export_plan& plan, std::shared_ptr<const export_view> view)
    : registry_rows(plan, std::move(view),
                    {"id", "key", "label", "owner_id", "owner", "state", "status", "origin", "why_suspended",
                     "created_at", "changed_at", "assigned_at", "expires_at", "retires_at", "successor", "predecessor",
                     "nodes", "in_force", "budgets"}) {}

private:
  caf::error visit(export_place& place, std::string& out, const std::function<bool()>& is_full) override {
    return view_->books->each_key(place.text, [&](client_key&& one) {
      if (is_full())
        return false;
      rows_.text(out, one.id);
      rows_.text(out, one.shown);
      rows_.text(out, one.label);
      person(out, one.owner);
      rows_.text(out, to_text(one.state));
      rows_.text(out, shown_state(one));
      rows_.text(out, to_text(one.origin));
      rows_.text(out, to_text(one.why_suspended));
      at(out, one.created_at);
      at(out, one.changed_at);
      at(out, one.assigned_at);
      at(out, one.expires_at);
      at(out, one.retires_at);
      rows_.text(out, one.successor ? *one.successor : key_id{});
      rows_.text(out, one.predecessor ? *one.predecessor : key_id{});
      rows_.list(out, one.nodes);
      rows_.list(out, one.in_force);
      rows_.list(out, texts_of(one.budgets));
      rows_.end_row(out);
      place.text = std::move(one.id);
      return true;
    });
  }
};

class audit_rows final : public registry_rows {
public:
  audit_rows(const export_plan& plan, std::shared_ptr<const export_view> view)
    : registry_rows(plan, std::move(view),
                    {"position", "at", "who_id", "who", "from", "what", "command", "about", "users", "keys", "policies",
                     "prices", "hash"}),
      first_ns_(plan.first_ns), end_ns_(plan.end_ns) {}

private:
  caf::error visit(export_place& place, std::string& out, const std::function<bool()>& is_full) override {
    return view_->books->each_entry(place.number, [&](registry_entry&& one) {
      const auto when = unix_ns(one.at);
      if (when < first_ns_ || when >= end_ns_) {
        place.number = one.position;
        return true;
      }
      if (is_full())
        return false;
      const auto entry = to_json(one);
      rows_.number(out, static_cast<std::int64_t>(one.position));
      at(out, one.at);
      person(out, one.who);
      rows_.text(out, one.from);
      rows_.text(out, one.what);
      rows_.text(out, one.command);
      std::vector<std::string> about;
      for (const auto* kind : {"users", "keys", "policies", "prices"})
        for (const auto& change : entry[kind])
          about.push_back(change["id"].get<std::string>());
      rows_.list(out, about);
      for (const auto* kind : {"users", "keys", "policies", "prices"})
        rows_.json(out, dump(entry[kind]));
      rows_.text(out, entry["hash"].get<std::string>());
      rows_.end_row(out);
      place.number = one.position;
      return true;
    });
  }

  std::int64_t first_ns_, end_ns_;
};

} // namespace

std::unique_ptr<export_source> make_user_rows(const export_plan& plan, std::shared_ptr<const export_view> view) {
  return std::make_unique<user_rows>(plan, std::move(view));
}
std::unique_ptr<export_source> make_key_rows(const export_plan& plan, std::shared_ptr<const export_view> view) {
  return std::make_unique<key_rows>(plan, std::move(view));
}
std::unique_ptr<export_source> make_audit_rows(const export_plan& plan, std::shared_ptr<const export_view> view) {
  return std::make_unique<audit_rows>(plan, std::move(view));
}

} // namespace keyportal
