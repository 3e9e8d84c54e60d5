// What a client sends over an open WebSocket, as bytes: however it is cut the same messages come out of it, none larger
// than is allowed, and none of frames that a browser could not have sent.
#include <algorithm>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <boost/beast/_experimental/test/stream.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/websocket.hpp>

#include "gateway/live_clients.hpp"
#include "messages/errors.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

namespace beast = boost::beast;
namespace ws = beast::websocket;

constexpr std::size_t largest = 4096;

struct conversation {
  std::vector<std::string> told;
  std::string end; ///< why; empty: it goes on
};

/// One server's side, which reads until nothing is left.
class listener : public std::enable_shared_from_this<listener> {
public:
  explicit listener(boost::asio::io_context& io) : socket(io) {}
  void read() {
    socket.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error) {
        self->is.end = error.message();
        return;
      }
      self->is.told.push_back(beast::buffers_to_string(self->buffer_.data()));
      self->buffer_.clear();
      self->read();
    });
  }
  ws::stream<beast::test::stream> socket;
  conversation is;

private:
  beast::flat_buffer buffer_;
};

conversation heard(std::string_view bytes, std::uint32_t cuts) {
  boost::asio::io_context io;
  beast::test::stream client(io);
  const auto server = std::make_shared<listener>(io);
  server->socket.next_layer().connect(client);
  server->socket.set_option(ws::permessage_deflate{});
  server->socket.read_message_max(largest);
  server->socket.text(true);
  beast::http::request<beast::http::empty_body> upgrade(beast::http::verb::get, "/ws", 11);
  upgrade.set("Host", "127.0.0.1");
  upgrade.set("Connection", "upgrade");
  upgrade.set("Upgrade", "websocket");
  upgrade.set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  upgrade.set("Sec-WebSocket-Version", "13");
  beast::error_code error;
  server->socket.accept(upgrade, error);
  must(!error, "the upgrade is taken");
  server->read();
  auto state = cuts;
  while (!bytes.empty()) {
    state = state * 1664525 + 1013904223;
    const auto n = cuts == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + (state >> 16) % (1 + cuts % 64));
    server->socket.next_layer().append({bytes.data(), n});
    bytes.remove_prefix(n);
    io.restart();
    io.poll();
  }
  io.restart();
  io.poll();
  auto out = server->is;
  server->socket.next_layer().close();
  io.restart();
  io.poll();
  return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const std::string_view bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
  const auto whole = heard(bytes, 0), pieces = heard(bytes, data[0] | 1U);
  must(whole.told == pieces.told, "cuts change no message");
  must(whole.end.empty() == pieces.end.empty(), "nor whether it ends");
  for (const auto& one : whole.told) {
    must(one.size() <= largest, "a message is as large as is allowed");
    const auto asked = keyportal::gateway::read_live_message(one);
    if (!asked)
      must(keyportal::code_of(asked.error()) == keyportal::errc::bad_request
             && keyportal::about_of(asked.error()).size() < 400,
           "what is wrong with a message is said in a few words");
    else if (*asked)
      must((*asked)->topics.size() <= 16, "and what is asked for is bounded");
  }
  if (!bytes.empty() && bytes.size() >= 2 && (static_cast<unsigned char>(bytes[1]) & 0x80U) == 0)
    must(whole.told.empty(), "a client's frames are masked");
  return 0;
}
