#include "oracle.hpp"

#include "config_file.hpp"
#include "json.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace keyportal::cpa_sim {

oracle::oracle(std::string path) : path_(std::move(path)) {
  if (path_.empty())
    return;
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd_ < 0) {
    problem_ = "cannot open the oracle " + path_ + ": " + std::strerror(errno);
    return;
  }
  const std::string text = read_file(path_).value_or("");
  size_ = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  const std::size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  if (whole != text.size() && ::ftruncate(fd_, static_cast<off_t>(whole)) != 0) {
    problem_ = "cannot repair the oracle " + path_ + ": " + std::strerror(errno);
  }
}

oracle::~oracle() {
  if (fd_ >= 0)
    ::close(fd_);
}

bool oracle::append(const std::vector<record>& records, std::int64_t recorded_at_ms) {
  std::string lines;
  for (const auto& r : records) {
    lines += "{\"recorded_at\":" + std::to_string(recorded_at_ms) + ",\"api\":";
    append_json_text(lines, r.api);
    lines += ",\"model\":";
    append_json_text(lines, r.model);
    lines += ',';
    const std::size_t brace = lines.size();
    append_detail(lines, r.what);
    lines.erase(brace, 1);
    lines += '\n';
  }
  const std::lock_guard guard(lock_);
  if (fd_ < 0) {
    memory_ += lines;
  } else if (::write(fd_, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) {
    return false;
  }
  size_ += records.size();
  return true;
}

std::size_t oracle::size() const {
  const std::lock_guard guard(lock_);
  return size_;
}

std::vector<remembered> oracle::records() const {
  const std::lock_guard guard(lock_);
  return read_oracle(path_.empty() ? memory_ : read_file(path_).value_or(""));
}

std::vector<remembered> read_oracle(std::string_view text) {
  std::vector<remembered> records;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos)
      return records;
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    remembered r;
    json_reader names(line);
    names.object([&](std::string_view name) {
      if (name == "recorded_at")
        return names.integer(r.recorded_at_ms);
      if (name == "api")
        return names.string(r.what.api);
      if (name == "model")
        return names.string(r.what.model);
      names.skip();
    });
    json_reader rest(line);
    read_detail(rest, r.what.what);
    if (names.finish() && rest.finish())
      records.push_back(std::move(r));
  }
}

} // namespace keyportal::cpa_sim
