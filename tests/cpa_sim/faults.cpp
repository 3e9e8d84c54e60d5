#include "faults.hpp"

#include <algorithm>
#include <cstdlib>

namespace keyportal::cpa_sim {
namespace {

answer json(int status, std::string body) {
  answer a;
  a.status = status;
  a.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  a.body = std::move(body);
  return a;
}

/// `"name":"a35e8f28ad4fc014"` becomes `"name":1177…`, everywhere.
void make_numeric(std::string& body) {
  constexpr std::string_view name = "\"auth_index\":\"";
  std::string out;
  std::size_t from = 0;
  for (;;) {
    const std::size_t at = body.find(name, from);
    const std::size_t end = at == std::string::npos ? at : body.find('"', at + name.size());
    if (end == std::string::npos)
      break;
    out.append(body, from, at + name.size() - 1 - from);
    const std::string digits = body.substr(at + name.size(), end - at - name.size());
    out += std::to_string(std::strtoull(digits.c_str(), nullptr, 16));
    from = end + 1;
  }
  out.append(body, from);
  body = std::move(out);
}

/// The first `"total_requests":123` becomes text.
void make_wrong_type(std::string& body) {
  constexpr std::string_view name = "\"total_requests\":";
  const std::size_t at = body.find(name);
  if (at == std::string::npos)
    return;
  const std::size_t begin = at + name.size();
  const std::size_t end = std::min(body.find_first_not_of("-0123456789", begin), body.size());
  body.insert(end, "\"");
  body.insert(begin, "\"");
}

bool concerns(const fault& f, const std::string& path) {
  const bool odd = f.name == "odd_fields";
  const bool malformed = f.name == "malformed_payload";
  const bool of_records =
    odd || malformed || f.name == "push_duplicate" || f.name == "push_garbage" || f.name == "overflow";
  if (path == path_of_queue)
    return odd;
  if (path == path_of_pop)
    return malformed;
  return path == path_of_push ? of_records : !of_records && path.starts_with(f.path);
}

} // namespace

const std::vector<std::string>& fault_names() {
  static const std::vector<std::string> names{"hang",
                                              "response_lost",
                                              "slow",
                                              "truncate",
                                              "truncate_json",
                                              "garbage",
                                              "empty",
                                              "ban",
                                              "wrong_key",
                                              "wrong_type",
                                              "gigantic",
                                              "http_status",
                                              "save_fails",
                                              "kill",
                                              "lost_write",
                                              "cap1000",
                                              "startup_502",
                                              "restart",
                                              "frozen",
                                              "empty_config",
                                              "tz",
                                              "push_paused",
                                              "push_split",
                                              "push_duplicate",
                                              "push_garbage",
                                              "half_open",
                                              "control_object",
                                              "odd_fields",
                                              "malformed_payload",
                                              "overflow",
                                              "numeric_auth_index"};
  return names;
}

bool fault_list::add(const fault& f) {
  if (std::find(fault_names().begin(), fault_names().end(), f.name) == fault_names().end())
    return false;
  const std::lock_guard guard(lock_);
  faults_.push_back(f);
  count_ = faults_.size();
  return true;
}

void fault_list::clear() {
  const std::lock_guard guard(lock_);
  faults_.clear();
  count_ = 0;
}

std::vector<fault> fault_list::take(const std::string& path) {
  std::vector<fault> taken;
  if (count_ == 0)
    return taken;
  const std::lock_guard guard(lock_);
  for (auto& f : faults_) {
    if (!concerns(f, path))
      continue;
    taken.push_back(f);
    if (f.count > 0 && --f.count == 0)
      f.count = -1;
  }
  std::erase_if(faults_, [](const fault& f) { return f.count < 0; });
  count_ = faults_.size();
  return taken;
}

std::vector<fault> fault_list::all() const {
  const std::lock_guard guard(lock_);
  return faults_;
}

bool fault_list::remove(const std::string& name) {
  const std::lock_guard guard(lock_);
  const bool found = std::erase_if(faults_, [&](const fault& f) { return f.name == name; }) != 0;
  count_ = faults_.size();
  return found;
}

long number_of(const std::string& value, long otherwise) {
  char* end = nullptr;
  const long number = std::strtol(value.c_str(), &end, 10);
  return end == value.c_str() || number < 0 ? otherwise : number;
}

std::optional<answer> instead(const fault& f) {
  if (f.name == "hang") {
    answer a;
    a.how.never = true;
    return a;
  }
  if (f.name == "garbage")
    return json(200, "<html><body>Welcome to nginx!</body></html>\x01\x02\xff");
  if (f.name == "empty")
    return json(200, "");
  if (f.name == "ban") {
    return json(403, R"({"error":"IP banned due to too many failed attempts. Try again in 29m58s"})");
  }
  if (f.name == "http_status") {
    const long status = number_of(f.value, 500);
    return json(static_cast<int>(status >= 200 && status < 600 ? status : 500), R"({"error":"on command"})");
  }
  return std::nullopt;
}

void spoil(answer& a, const fault& f) {
  if (f.name == "response_lost") {
    a.how.close_silently = true;
  } else if (f.name == "slow") {
    const long number = number_of(f.value, 1000);
    if (f.value.ends_with("B/s")) {
      a.how.bytes_per_second = static_cast<std::size_t>(std::max(number, 1L));
    } else {
      a.how.delay = std::chrono::milliseconds(number);
    }
  } else if (f.name == "truncate") {
    a.how.cut_after = static_cast<std::size_t>(number_of(f.value, static_cast<long>(a.body.size() / 2)));
  } else if (f.name == "truncate_json") {
    a.body.resize(a.body.size() / 2);
  } else if (f.name == "wrong_type") {
    make_wrong_type(a.body);
  } else if (f.name == "numeric_auth_index") {
    make_numeric(a.body);
  } else if (f.name == "gigantic") {
    a.how.padding = static_cast<std::size_t>(std::min(number_of(f.value, 256), 65'536L)) << 20;
  }
}

} // namespace keyportal::cpa_sim
