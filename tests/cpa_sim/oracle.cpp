#include "oracle.hpp"

#include "config_file.hpp"
#include "json.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace keyportal::cpa_sim {
namespace {

void append_number(std::string& out, std::int64_t value) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

bool write_all(int fd, std::string_view text) {
  return ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string whole_file(int fd) {
  std::string text;
  char block[65'536];
  for (ssize_t got = 0; (got = ::pread(fd, block, sizeof block, static_cast<off_t>(text.size()))) > 0;)
    text.append(block, static_cast<std::size_t>(got));
  return text;
}

/// Calls `line(text)` for each line that has an end.
template <class F>
void each_line(std::string_view text, F&& line) {
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos)
      return;
    line(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

/// The object after `"payload":` up to the brace that ends the line.
std::string payload_of(std::string_view line) {
  constexpr std::string_view name = ",\"payload\":";
  const auto at = line.find(name);
  return at == std::string_view::npos ? std::string()
                                      : std::string(line.substr(at + name.size(), line.size() - at - name.size() - 1));
}

void read_numbers(json_reader& in, std::vector<std::uint64_t>& out) {
  in.array([&] {
    std::int64_t n = 0;
    in.integer(n);
    out.push_back(static_cast<std::uint64_t>(n));
  });
}

void read_ranges(json_reader& in, record_ranges& out) {
  in.array([&] {
    std::vector<std::uint64_t> pair;
    read_numbers(in, pair);
    if (pair.size() == 2)
      out.emplace_back(pair[0], pair[1]);
  });
}

} // namespace

int oracle::open_file(const std::string& path, std::string& text) {
  if (path_.empty()) {
    char name[] = "/tmp/cpa-sim-oracle-XXXXXX";
    const int fd = ::mkostemp(name, O_CLOEXEC | O_APPEND);
    if (fd >= 0)
      ::unlink(name);
    return fd;
  }
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0)
    return fd;
  text = whole_file(fd);
  const std::size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  if (whole != text.size() && ::ftruncate(fd, static_cast<off_t>(whole)) != 0)
    problem_ = "cannot repair the oracle " + path + ": " + std::strerror(errno);
  text.resize(whole);
  return fd;
}

oracle::oracle(std::string path) : path_(std::move(path)) {
  std::string records, fates;
  records_fd_ = open_file(path_, records);
  fates_fd_ = open_file(path_ + ".fates", fates);
  if (records_fd_ < 0 || fates_fd_ < 0) {
    problem_ = "cannot open the oracle " + path_ + ": " + std::strerror(errno);
    return;
  }
  each_line(records, [&](std::string_view line) {
    ++size_;
    constexpr std::string_view name = ",\"n\":";
    if (const auto at = line.find(name); at != std::string_view::npos)
      std::from_chars(line.data() + at + name.size(), line.data() + line.size(), last_number_);
  });
  each_line(fates, [&](std::string_view line) { boots_ += line.starts_with("{\"boot\":") ? 1 : 0; });
}

oracle::~oracle() {
  for (const int fd : {records_fd_, fates_fd_}) {
    if (fd >= 0)
      ::close(fd);
  }
}

bool oracle::write(std::string_view lines, std::size_t records) {
  const std::lock_guard guard(lock_);
  if (!write_all(records_fd_, lines))
    return false;
  size_ += records;
  last_number_ += records;
  return true;
}

bool oracle::note(const std::string& fields, std::int64_t at_ms) {
  return write_all(fates_fd_, '{' + fields + ",\"at\":" + std::to_string(at_ms) + "}\n");
}

std::uint64_t oracle::next_number() const {
  const std::lock_guard guard(lock_);
  return last_number_ + 1;
}

std::uint64_t oracle::boot(const std::string& version, std::int64_t at_ms) {
  std::uint64_t mine = 0;
  {
    const std::lock_guard guard(lock_);
    mine = ++boots_;
  }
  note("\"boot\":" + std::to_string(mine) + ",\"version\":" + json_text(version), at_ms);
  return mine;
}

std::size_t oracle::size() const {
  const std::lock_guard guard(lock_);
  return size_;
}

std::vector<remembered> oracle::records() const { return read_oracle(whole_file(records_fd_)); }

std::string oracle::fates() const { return whole_file(fates_fd_); }

void append_line(std::string& out, std::int64_t recorded_at_ms, const attempt& a, const traits& t, const birth& b,
                 std::string_view payload) {
  const route& way = *a.way;
  out += "{\"recorded_at\":";
  append_number(out, recorded_at_ms);
  out += way.text.filed;
  append_instant(out, a.started);
  out += "\",\"latency_ms\":";
  append_number(out, a.latency_ms);
  out += way.text.owner;
  const token_counts c = counts_of(a, t);
  out += "\"tokens\":{\"input_tokens\":";
  append_number(out, c.input);
  out += ",\"output_tokens\":";
  append_number(out, c.output);
  out += ",\"reasoning_tokens\":";
  append_number(out, c.reasoning);
  out += ",\"cached_tokens\":";
  append_number(out, c.cached);
  out += ",\"total_tokens\":";
  append_number(out, c.total);
  out += a.failed() ? "},\"failed\":true" : "},\"failed\":false";
  if (b.number != 0) {
    out += ",\"n\":";
    append_number(out, static_cast<std::int64_t>(b.number));
    out += ",\"boot\":";
    append_number(out, static_cast<std::int64_t>(b.boot));
    out += ",\"request_id\":\"";
    append_request_id(out, a.request_id);
    out += "\",\"fate\":\"";
    out += b.fate;
    out += '"';
    if (!b.to.empty()) {
      out += ",\"to\":";
      out += b.to;
    }
    if (!payload.empty()) {
      out += ",\"payload\":";
      out += payload;
    }
  }
  out += "}\n";
}

std::string to_text(const record_ranges& ranges) {
  std::string out = "[";
  for (const auto& [first, last] : ranges) {
    out += (out.size() == 1 ? "[" : ",[") + std::to_string(first) + ',' + std::to_string(last) + ']';
  }
  return out + ']';
}

std::vector<remembered> read_oracle(std::string_view text) {
  std::vector<remembered> records;
  each_line(text, [&](std::string_view line) {
    remembered r;
    json_reader names(line);
    std::int64_t number = 0, boot = 0;
    names.object([&](std::string_view name) {
      if (name == "recorded_at")
        return names.integer(r.recorded_at_ms);
      if (name == "api")
        return names.string(r.what.api);
      if (name == "model")
        return names.string(r.what.model);
      if (name == "n")
        return names.integer(number);
      if (name == "boot")
        return names.integer(boot);
      if (name == "fate")
        return names.string(r.fate);
      if (name == "to")
        return read_numbers(names, r.to);
      names.skip();
    });
    r.number = static_cast<std::uint64_t>(number);
    r.boot = static_cast<std::uint64_t>(boot);
    r.payload = payload_of(line);
    json_reader rest(line);
    read_detail(rest, r.what.what);
    if (names.finish() && rest.finish())
      records.push_back(std::move(r));
  });
  return records;
}

std::map<std::uint64_t, fate> read_fates(const std::vector<remembered>& records, std::string_view fates) {
  std::map<std::uint64_t, fate> all;
  std::uint64_t boots = 0;
  for (const auto& r : records) {
    all[r.number] = {r.fate, {}, r.to, {}};
  }
  const auto become = [&all](const record_ranges& ranges, const std::string& what, const std::string& by) {
    for (const auto& [first, last] : ranges) {
      for (auto at = all.lower_bound(first); at != all.end() && at->first <= last; ++at) {
        at->second.last = what;
        if (!by.empty())
          at->second.by = by;
      }
    }
  };
  each_line(fates, [&](std::string_view line) {
    json_reader in(line);
    std::string by;
    record_ranges ranges;
    std::string what;
    std::int64_t subscriber = 0;
    in.object([&](std::string_view name) {
      if (name == "by")
        return in.string(by);
      if (name == "boot") {
        std::int64_t boot = 0;
        in.integer(boot);
        boots = std::max(boots, static_cast<std::uint64_t>(boot));
        return;
      }
      if (name == "gone")
        return in.integer(subscriber);
      if (name == "popped" || name == "expired" || name == "cleared" || name == "unanswered" || name == "undelivered") {
        what = name;
        return read_ranges(in, ranges);
      }
      in.skip();
    });
    if (what != "undelivered")
      return become(ranges, what, by);
    for (const auto& [first, last] : ranges) {
      for (auto at = all.lower_bound(first); at != all.end() && at->first <= last; ++at)
        at->second.undelivered.push_back(static_cast<std::uint64_t>(subscriber));
    }
  });
  for (const auto& r : records) {
    if (r.boot < boots && all[r.number].last == "queued")
      all[r.number].last = "lost";
  }
  return all;
}

} // namespace keyportal::cpa_sim
