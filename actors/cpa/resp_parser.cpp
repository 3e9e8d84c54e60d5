#include "actors/cpa/resp_parser.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "messages/errors.hpp"

namespace keyportal::cpa {

namespace {

using type = resp_value::type;

constexpr std::size_t first_room = 64U << 10;
constexpr std::size_t kept_room = 8U << 20; // a buffer that one huge reply has made larger than this is given back
constexpr std::size_t longest_line = 4096;  // of a status or an error
constexpr std::size_t longest_number = 21;
constexpr std::string_view push_head = "*3\r\n$7\r\nmessage\r\n$5\r\nusage\r\n$";

} // namespace

resp_parser::resp_parser(resp_limits limits) : limits_(limits) {}

void resp_parser::reset() {
  data_.reset();
  capacity_ = start_ = at_ = end_ = 0;
  values_.clear();
  open_.clear();
  announced_ = 0;
  bulk_ = -1;
  done_ = true;
  problem_ = {};
}

/// Carries what is waiting to the beginning of `data`, and the views of a reply under way with it.
void resp_parser::move_to(char* data) {
  const char* from = data_.get() + start_;
  for (auto& value : values_)
    if (value.text.data() != nullptr)
      value.text = {data + (value.text.data() - from), value.text.size()};
  if (end_ > start_)
    std::memmove(data, from, end_ - start_);
  at_ -= start_;
  end_ -= start_;
  start_ = 0;
}

std::span<char> resp_parser::room(std::size_t size) {
  if (done_) {
    values_.clear();
    start_ = at_;
    if (at_ == end_)
      start_ = at_ = end_ = 0;
  }
  if (end_ == 0 && capacity_ > kept_room && size <= kept_room) {
    data_.reset();
    capacity_ = 0;
    values_ = {};
  }
  if (capacity_ - end_ < size) {
    const auto waiting = end_ - start_;
    // Moving is for little; when much waits, twice the room makes it rare.
    if (waiting <= capacity_ / 2 && capacity_ - waiting >= size) {
      move_to(data_.get());
    } else {
      const auto larger = std::max({first_room, capacity_ * 2, waiting + size});
      auto data = std::make_unique_for_overwrite<char[]>(larger);
      move_to(data.get());
      data_ = std::move(data);
      capacity_ = larger;
    }
  }
  return {data_.get() + end_, capacity_ - end_};
}

void resp_parser::received(std::size_t size) { end_ += std::min(size, capacity_ - end_); }

void resp_parser::feed(std::string_view bytes) {
  if (bytes.empty())
    return;
  std::memcpy(room(bytes.size()).data(), bytes.data(), bytes.size());
  received(bytes.size());
}

resp_parser::step resp_parser::refuse(bool too_large, const char* reason) {
  problem_ = make_error(too_large ? errc::node_answer_too_large : errc::node_answer_malformed, reason);
  return step::refused;
}

void resp_parser::add(type kind, std::string_view text, std::int64_t number) {
  values_.push_back({kind, text, number});
  if (kind == type::array && number > 0) {
    open_.push_back(number);
    return;
  }
  while (!open_.empty() && --open_.back() == 0)
    open_.pop_back();
  done_ = open_.empty();
}

/// What a subscriber is sent all day long, when it is here as a whole. False: it goes the general way.
bool resp_parser::push_message() {
  if (end_ - at_ < push_head.size() || std::memcmp(data_.get() + at_, push_head.data(), push_head.size()) != 0)
    return false;
  const char* p = data_.get() + at_ + push_head.size();
  const char* const end = data_.get() + end_;
  std::size_t size = 0;
  const char* const digits = p;
  for (; p != end && *p >= '0' && *p <= '9' && p - digits < 10; ++p)
    size = size * 10 + static_cast<std::size_t>(*p - '0');
  if (p == digits || end - p < 4 || p[0] != '\r' || p[1] != '\n')
    return false;
  p += 2;
  const auto here = static_cast<std::size_t>(end - p);
  if (size > limits_.max_bulk_bytes || here < size + 2 || p[size] != '\r' || p[size + 1] != '\n')
    return false;
  const auto begin = static_cast<std::size_t>(p - data_.get());
  if (begin + size + 2 - at_ > limits_.max_reply_bytes || limits_.max_depth == 0 || limits_.max_elements < 3
      || limits_.max_bulk_bytes < 7)
    return false;
  values_.resize(4);
  const char* const head = data_.get() + at_;
  values_[0] = {type::array, {}, 3};
  values_[1] = {type::bulk, {head + 8, 7}, 0};
  values_[2] = {type::bulk, {head + 21, 5}, 0};
  values_[3] = {type::bulk, {p, size}, 0};
  at_ = begin + size + 2;
  done_ = true;
  return true;
}

resp_parser::step resp_parser::begin(char kind, std::int64_t number) {
  if (number == -1) {
    add(type::null);
    return step::reply;
  }
  if (number < 0)
    return refuse(false, "a size below zero");
  const auto size = static_cast<std::size_t>(number);
  if (kind == '*') {
    if (open_.size() >= limits_.max_depth)
      return refuse(true, "arrays within too many arrays");
    if (size > limits_.max_elements - std::min(announced_, limits_.max_elements))
      return refuse(true, "too many elements");
    announced_ += size;
    add(type::array, {}, number);
    return step::reply;
  }
  if (size > limits_.max_bulk_bytes)
    return refuse(true, "a string is too long");
  bulk_ = number;
  return bulk();
}

resp_parser::step resp_parser::bulk() {
  const auto size = static_cast<std::size_t>(bulk_);
  if (size + 2 > limits_.max_reply_bytes - std::min(at_ - start_, limits_.max_reply_bytes))
    return refuse(true, "a reply is too long");
  if (end_ - at_ < size + 2)
    return step::incomplete;
  const char* text = data_.get() + at_;
  if (text[size] != '\r' || text[size + 1] != '\n')
    return refuse(false, "a string does not end where it says");
  at_ += size + 2;
  bulk_ = -1;
  add(type::bulk, {text, size});
  return step::reply;
}

/// One line, and the string that it announces. `reply` means: one value more.
resp_parser::step resp_parser::line() {
  if (at_ == end_)
    return step::incomplete;
  const char* const text = data_.get() + at_;
  const char kind = *text;
  const bool number = kind == ':' || kind == '$' || kind == '*';
  if (!number && kind != '+' && kind != '-')
    return refuse(false, "a reply of no known kind");
  const auto longest = number ? longest_number : longest_line;
  const auto here = std::min(end_ - at_, longest + 2);
  const auto* newline = static_cast<const char*>(std::memchr(text, '\n', here));
  if (newline == nullptr)
    return here == longest + 2 ? refuse(false, "a line without an end") : step::incomplete;
  std::string_view content{text + 1, static_cast<std::size_t>(newline - text) - 1};
  if (!content.ends_with('\r') || content.find('\r') != content.size() - 1)
    return refuse(false, "a line that does not end as it must");
  content.remove_suffix(1);
  if (at_ + content.size() + 3 - start_ > limits_.max_reply_bytes)
    return refuse(true, "a reply is too long");
  at_ += content.size() + 3;
  if (!number) {
    add(kind == '+' ? type::status : type::error, content);
    return step::reply;
  }
  if (kind == ':' && content.starts_with('+') && !content.starts_with("+-"))
    content.remove_prefix(1);
  std::int64_t value = 0;
  const auto [rest, problem] = std::from_chars(content.data(), content.data() + content.size(), value);
  if (problem != std::errc{} || rest != content.data() + content.size())
    return refuse(false, "a number that is none");
  if (kind != ':')
    return begin(kind, value);
  add(type::integer, {}, value);
  return step::reply;
}

resp_parser::step resp_parser::next() {
  if (problem_)
    return step::refused;
  if (done_) {
    values_.clear();
    start_ = at_;
    announced_ = 0;
    if (push_message())
      return step::reply;
    done_ = false;
  }
  for (;;) {
    const auto one_more = bulk_ >= 0 ? bulk() : line();
    if (one_more != step::reply)
      return one_more;
    if (done_)
      return step::reply;
  }
}

bool read_message(std::span<const resp_value> reply, resp_message& into) {
  if (reply.size() != 4 || reply[0].kind != type::array || reply[0].number != 3 || reply[1].kind != type::bulk
      || reply[2].kind != type::bulk || reply[3].kind != type::bulk || reply[1].text != "message")
    return false;
  into = {reply[2].text, reply[3].text};
  return true;
}

} // namespace keyportal::cpa
