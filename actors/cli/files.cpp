#include "actors/cli/files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <istream>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace keyportal::cli {

namespace {

caf::error system_error(const std::filesystem::path& file) {
  return make_error(errc::file_unreadable, fmt::format("{} ({})", file.string(), std::strerror(errno)));
}

class descriptor {
public:
  explicit descriptor(int number) : number_(number) {}
  ~descriptor() {
    if (number_ >= 0)
      ::close(number_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] int close() { return ::close(std::exchange(number_, -1)); }

private:
  int number_;
};

bool write_all(int to, const std::string& content) {
  for (std::size_t at = 0; at < content.size();) {
    const auto written = ::write(to, content.data() + at, content.size() - at);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return false;
    at += static_cast<std::size_t>(written);
  }
  return true;
}

/// Follows the document as far as needed to find /version and the details of /usage/apis/*/models/*/details.
class usage_reader : public nlohmann::json_sax<nlohmann::json> {
public:
  usage_file found;
  bool has_usage = false;
  bool version_fits = true;
  bool shape_fits = true;

  bool null() override { return scalar(); }
  bool boolean(bool) override { return scalar(); }
  bool number_integer(number_integer_t value) override { return number(value == 0 || value == 1); }
  bool number_unsigned(number_unsigned_t value) override { return number(value == 0 || value == 1); }
  bool number_float(number_float_t, const string_t&) override { return number(false); }
  bool string(string_t&) override {
    version_fits = version_fits && !at_version();
    return scalar();
  }
  bool binary(binary_t&) override { return scalar(); }
  bool key(string_t& name) override {
    key_ = name;
    return true;
  }
  bool start_object(std::size_t) override {
    if (path_.size() == 1 && key_ == "usage")
      has_usage = true;
    if (path_.size() == 3 && below("usage", "apis"))
      ++found.keys;
    if (path_.size() == 7 && path_[6] == "details" && below("usage", "apis"))
      ++found.records;
    return push();
  }
  bool start_array(std::size_t) override {
    if (path_.size() == 7 && path_[6] == "details" && below("usage", "apis"))
      shape_fits = false;
    return push();
  }
  bool end_object() override { return pop(); }
  bool end_array() override { return pop(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

private:
  static constexpr std::size_t depth_limit = 200;

  bool at_version() const { return path_.size() == 1 && key_ == "version"; }
  bool below(std::string_view first, std::string_view second) const { return path_[1] == first && path_[2] == second; }
  bool number(bool may_be_version) {
    version_fits = version_fits && (!at_version() || may_be_version);
    return scalar();
  }
  bool scalar() {
    shape_fits = shape_fits && !path_.empty();
    return true;
  }
  bool push() {
    path_.push_back(key_);
    key_.clear();
    return path_.size() < depth_limit;
  }
  bool pop() {
    path_.pop_back();
    return true;
  }

  std::vector<std::string> path_; ///< the keys under which the open objects and arrays stand
  std::string key_;
};

} // namespace

caf::expected<std::string> read_file(const std::filesystem::path& file, std::istream& in) {
  std::ifstream opened;
  const bool standard = file == "-";
  if (!standard) {
    opened.open(file, std::ios::binary);
    std::error_code none;
    if (!opened || std::filesystem::is_directory(file, none))
      return make_error(errc::file_unreadable, file.string());
  }
  auto& stream = standard ? in : opened;
  std::string text;
  std::vector<char> piece(1 << 20);
  while (stream) {
    stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    text.append(piece.data(), static_cast<std::size_t>(stream.gcount()));
    if (text.size() > largest_file)
      return make_error(errc::body_too_large, fmt::format("{} is larger than 1 GiB", file.string()));
  }
  if (stream.bad())
    return make_error(errc::file_unreadable, file.string());
  return text;
}

caf::error write_file(const std::filesystem::path& file, const std::string& content) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  // Beside the file, since only within one file system a rename is one step.
  std::string temporary = (folder / ("." + file.filename().string() + ".XXXXXX")).string();
  descriptor out(::mkostemp(temporary.data(), O_CLOEXEC)); // made with mode 0600
  if (out.get() < 0)
    return system_error(file);
  const bool done = write_all(out.get(), content) && ::fsync(out.get()) == 0 && out.close() == 0
                    && ::rename(temporary.c_str(), file.c_str()) == 0;
  if (!done) {
    auto error = system_error(file);
    ::unlink(temporary.c_str());
    return error;
  }
  const descriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0 || ::fsync(parent.get()) != 0) // else the new name may be gone after a power cut
    return system_error(file);
  return {};
}

caf::expected<usage_file> look_into(const std::string& json) {
  usage_reader reader;
  const bool is_json = nlohmann::json::sax_parse(json, &reader);
  if (!is_json || !reader.shape_fits || !reader.has_usage)
    return make_error(errc::file_malformed);
  if (!reader.version_fits)
    return make_error(errc::file_version);
  return reader.found;
}

} // namespace keyportal::cli
