#include "gateway/compat/http_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "gateway/request_head.hpp"
#include "gateway/target.hpp"

namespace keyportal::compat {

namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::uint32_t largest_head = 16 << 10;
constexpr std::uint64_t largest_rest = 256 << 10; ///< of a body that nobody wanted
constexpr auto patience = std::chrono::seconds(30);

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

/// The line as the library wants to read from it.
struct line_stream {
  line& from;
  line::clock::time_point deadline{};

  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, beast::error_code& error) {
    const net::mutable_buffer first = *net::buffer_sequence_begin(buffers);
    std::size_t n = 0;
    switch (from.read(static_cast<char*>(first.data()), first.size(), n, deadline)) {
      case line::got::bytes: error = {}; break;
      case line::got::timeout: error = net::error::timed_out; break;
      case line::got::end: error = net::error::eof; break;
    }
    return n;
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    beast::error_code error;
    const auto n = read_some(buffers, error);
    if (error)
      throw beast::system_error(error);
    return n;
  }
};

using parser = http::request_parser<http::buffer_body>;

} // namespace

struct http_reader::impl {
  explicit impl(line& from) : stream{from} {}

  line_stream stream;
  beast::flat_buffer buffer{largest_head + (128U << 10)};
  std::optional<parser> now;
  std::string target;
  std::uint64_t limit = largest_rest;
};

http_reader::http_reader(line& from, std::string first) : impl_(std::make_unique<impl>(from)) {
  const auto room = impl_->buffer.prepare(first.size());
  net::buffer_copy(room, net::buffer(first));
  impl_->buffer.commit(first.size());
}

http_reader::~http_reader() = default;

http_reader::outcome http_reader::head(http_request& into) {
  auto& my = *impl_;
  if (my.now && !my.now->is_done()) {
    char ignored[4096];
    std::size_t n = 0;
    for (std::uint64_t all = 0; !my.now->is_done(); all += n)
      if (all > largest_rest || body(ignored, sizeof ignored, n) == piece::broken)
        return outcome::end;
  }
  my.now.emplace();
  my.now->header_limit(largest_head);
  my.now->body_limit(boost::none);
  my.limit = largest_rest;
  my.stream.deadline = line::clock::now() + patience;
  beast::error_code error;
  http::read_header(my.stream, my.buffer, *my.now, error);
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return outcome::too_large;
  if (error.category() == http::make_error_code(http::error::bad_method).category()
      && error != http::error::end_of_stream && error != http::error::partial_message)
    return outcome::malformed;
  if (error)
    return outcome::end;
  const auto& head = my.now->get();
  into = {};
  if (!gateway::is_plain_body(head))
    return outcome::malformed;
  my.target = view(head.target());
  into.method = view(head.method_string());
  for (const auto& field : head) {
    std::string name(view(field.name_string()));
    for (char& c : name)
      if (c >= 'A' && c <= 'Z')
        c = static_cast<char>(c - 'A' + 'a');
    into.headers.emplace_back(std::move(name), std::string(view(field.value())));
  }
  if (!gateway::read_target(my.target, into))
    return outcome::malformed;
  into.peer = my.stream.from.peer();
  return outcome::request;
}

const std::string& http_reader::target() const { return impl_->target; }

bool http_reader::keep_alive() const { return impl_->now && impl_->now->keep_alive(); }

bool http_reader::http_1_0() const { return impl_->now && impl_->now->get().version() == 10; }

bool http_reader::expects_continue() const {
  return impl_->now && beast::iequals(impl_->now->get()[http::field::expect], "100-continue");
}

void http_reader::limit_body(std::uint64_t bytes) { impl_->limit = bytes; }

bool http_reader::body_read() const { return !impl_->now || impl_->now->is_done(); }

http_reader::piece http_reader::body(char* to, std::size_t most, std::size_t& n) {
  auto& my = *impl_;
  n = 0;
  if (body_read())
    return piece::end;
  auto& body = my.now->get().body();
  body.data = to;
  body.size = most;
  body.more = true;
  my.stream.deadline = line::clock::now() + patience;
  beast::error_code error;
  // Until there is something: a read may bring the frame of a chunk only.
  while (!error && !my.now->is_done() && body.size == most)
    http::read_some(my.stream, my.buffer, *my.now, error);
  if (error && error != http::error::need_buffer)
    return piece::broken;
  n = most - body.size;
  if (n > my.limit)
    return piece::too_large;
  my.limit -= n;
  return n == 0 ? piece::end : piece::bytes;
}

body_stream::int_type body_stream::underflow() {
  if (how_ != http_reader::piece::bytes)
    return traits_type::eof();
  std::size_t n = 0;
  how_ = from_.body(block_.data(), block_.size(), n);
  if (how_ != http_reader::piece::bytes)
    return traits_type::eof();
  bytes_ += n;
  setg(block_.data(), block_.data(), block_.data() + n);
  return traits_type::to_int_type(block_[0]);
}

} // namespace keyportal::compat
