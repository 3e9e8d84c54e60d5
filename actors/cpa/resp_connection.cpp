#include "actors/cpa/resp_connection.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <openssl/crypto.h>

#include "actors/cpa/node_socket.hpp"
#include "messages/errors.hpp"

namespace keyportal::cpa {

namespace {

using clock = node_socket::clock;
using meaning = resp_batch::meaning;
using step = resp_parser::step;
using type = resp_value::type;

constexpr std::size_t read_room = 1U << 20;
constexpr std::size_t renewing_bytes = 64U << 10;

void append_bulk(std::string& out, std::string_view text) {
  fmt::format_to(std::back_inserter(out), "${}\r\n{}\r\n", text.size(), text);
}

std::string command(std::initializer_list<std::string_view> words) {
  std::string out;
  std::size_t size = 16;
  for (const auto word : words)
    size += word.size() + 32;
  out.reserve(size); // so that no copy of a key stays behind in the heap
  fmt::format_to(std::back_inserter(out), "*{}\r\n", words.size());
  for (const auto word : words)
    append_bulk(out, word);
  return out;
}

} // namespace

caf::error judge_error_reply(const node_name& node, std::string_view text) {
  const auto about = [&node](std::string_view why) { return fmt::format("{}: {}", node, why); };
  if (text.starts_with("ERR IP banned")) {
    constexpr std::string_view words = "Try again in ";
    const auto at = text.find(words);
    auto span = at == std::string_view::npos ? std::string_view{} : text.substr(at + words.size());
    span = span.substr(0, std::min<std::size_t>(span.find_first_not_of("0123456789hms."), 32));
    return make_error(errc::node_banned, span.empty() ? node : about(fmt::format("{}{}", words, span)));
  }
  if (text == "ERR invalid management key" || text == "ERR missing management key")
    return make_error(errc::node_wrong_key, node);
  if (text.starts_with("ERR remote management"))
    return make_error(errc::node_forbidden, node);
  if (text.starts_with("ERR RESP AUTH disabled"))
    return make_error(errc::node_without_resp, node);
  if (text == "ERR unknown command 'subscribe'" || text.starts_with("ERR unsupported channel"))
    return make_error(errc::node_without_subscribe, node);
  if (text.starts_with("NOAUTH"))
    return make_error(errc::node_failed, about("it has forgotten the sign-in"));
  if (text == "ERR protocol error")
    return make_error(errc::node_failed, about("it did not understand us"));
  return make_error(errc::node_failed, about("an error reply to the queue's command"));
}

struct resp_connection::impl {
  resp_settings settings;
  std::optional<node_address> address;
  node_socket socket;
  resp_parser parser;
  std::vector<std::string_view> payloads;
  std::string channel; ///< subscribed to; empty: none
  bool open = false;
  bool awaiting_pop = false;
  std::optional<resp_batch> ending; ///< told by the next call, because this one brought records
  clock::time_point heard;
  std::optional<clock::time_point> pinged;
  std::optional<clock::time_point> last_words; ///< after `stop`: until when what is on its way is waited for

  explicit impl(resp_settings s)
    : settings(std::move(s)), address(address_of(settings.url)),
      socket({settings.node, address.value_or(node_address{}), settings.ca_file, settings.receive_buffer_bytes}),
      parser(settings.limits) {}

  caf::error problem(errc code, std::string_view why) const {
    return make_error(code, fmt::format("{}: {}", settings.node, why));
  }

  /// Why the parser gave up.
  caf::error not_understood() const {
    // A web server in CPA's place, or CPA in front of which one stands: the first letter is told as soon as it is there.
    if (std::string_view{"HTTP/"}.starts_with(parser.waiting().substr(0, 5)))
      return problem(errc::node_without_resp, "it answers with HTTP");
    return problem(code_of(parser.problem()), about_of(parser.problem()));
  }

  caf::error gone() const {
    return parser.waiting().empty() ? problem(errc::node_unreachable, "it closed the connection")
                                    : problem(errc::node_answer_truncated, "it closed the connection within a reply");
  }

  /// Receives once. No error: there are new bytes. timed_out: the deadline has passed.
  caf::error receive(clock::time_point deadline) {
    auto got = socket.receive(parser.room(read_room), deadline);
    if (!got)
      return got.error();
    if (*got == 0)
      return gone();
    parser.received(*got);
    heard = clock::now();
    pinged.reset();
    return {};
  }

  /// As `receive`, of what CPA has taken out of its queue for us: also after
  /// `stop`, until `last_words` are over.
  caf::error receive_given(clock::time_point deadline) {
    if (!last_words) {
      auto error = receive(deadline);
      if (code_of(error) != errc::shutting_down)
        return error;
      socket.resume();
      last_words = clock::now() + settings.last_words;
      if (!channel.empty())
        if (auto failed = socket.send(command({"UNSUBSCRIBE"}), *last_words))
          return failed;
    }
    auto error = receive(std::min(deadline, *last_words));
    return code_of(error) == errc::timed_out && clock::now() >= *last_words
             ? make_error(errc::shutting_down, settings.node)
             : error;
  }

  /// Waits for one reply; long ones have time as long as they come along.
  caf::error await_reply(clock::time_point deadline, std::chrono::milliseconds renewed) {
    std::size_t counted = 0;
    for (;;) {
      switch (parser.next()) {
        case step::reply: return {};
        case step::refused: return not_understood();
        case step::incomplete: break;
      }
      if (auto error = awaiting_pop ? receive_given(deadline) : receive(deadline))
        return error;
      if (renewed.count() > 0 && parser.waiting().size() >= counted + renewing_bytes) {
        counted = parser.waiting().size();
        deadline = clock::now() + renewed;
      }
    }
  }

  caf::error ask(std::string_view bytes, clock::time_point deadline, std::chrono::milliseconds renewed) {
    if (auto error = socket.send(bytes, deadline))
      return error;
    return await_reply(deadline, renewed);
  }

  void close() {
    socket.close();
    open = awaiting_pop = false;
    channel.clear();
    pinged.reset();
    last_words.reset();
  }

  caf::error closed(caf::error error) {
    close();
    return error;
  }

  resp_batch end_with(meaning what, caf::error why) {
    close();
    resp_batch batch;
    batch.what = what;
    batch.problem = std::move(why);
    return batch;
  }

  resp_batch with_payloads() {
    resp_batch batch;
    batch.payloads = payloads;
    return batch;
  }

  /// One reply of a subscription. False: it is none that belongs there.
  bool take_push() {
    const auto reply = parser.reply();
    if (last_words && reply.size() == 4 && reply[1].text == "unsubscribe")
      return true; // the end of the connection follows
    resp_message message;
    if (read_message(reply, message)) {
      if (message.channel != channel)
        return false;
      payloads.push_back(message.payload);
      return true;
    }
    // An answer to PING. A subscription that knows no PING answers with an error, which shows life just as well.
    return reply[0].kind == type::array && reply.size() == 3 && reply[1].kind == type::bulk && reply[1].text == "pong";
  }

  /// All whole replies that are here. What ends the subscription goes to `ending`.
  void take_pushes() {
    for (;;) {
      const auto result = parser.next();
      if (result == step::incomplete)
        return;
      if (result == step::refused) {
        ending = end_with(meaning::refused, not_understood());
        return;
      }
      if (take_push())
        continue;
      const auto& first = parser.reply()[0];
      if (first.kind == type::error && first.text.starts_with("ERR unknown command"))
        continue;
      ending = end_with(meaning::refused, first.kind == type::error
                                            ? judge_error_reply(settings.node, first.text)
                                            : problem(errc::node_answer_malformed, "no message of the subscription"));
      return;
    }
  }

  /// After a silent wait. An error: nobody is there.
  caf::error ping_if_due() {
    const auto now = clock::now();
    if (pinged) {
      if (now - *pinged >= settings.ping_timeout)
        return problem(errc::node_timeout, "it does not answer in the subscription");
    } else if (now - heard >= settings.ping_after) {
      pinged = now;
      return socket.send(command({"PING"}), now + settings.ping_timeout);
    }
    return {};
  }

  /// The records of an LPOP reply, whole or not. False: there is something else among them.
  bool take_popped(std::span<const resp_value> reply) {
    if (reply.empty() || reply[0].kind == type::null)
      return true;
    if (reply[0].kind == type::bulk) {
      payloads.push_back(reply[0].text);
      return true;
    }
    bool fine = reply[0].kind == type::array;
    for (const auto& value : reply.subspan(1)) {
      if (value.kind == type::bulk)
        payloads.push_back(value.text);
      else
        fine = false;
    }
    return fine;
  }
};

resp_connection::resp_connection(resp_settings settings) : impl_(std::make_unique<impl>(std::move(settings))) {}
resp_connection::~resp_connection() = default;

void resp_connection::stop() { impl_->socket.stop(); }
int resp_connection::receive_buffer() const { return impl_->socket.receive_buffer(); }

void resp_connection::close() {
  impl_->close();
  impl_->ending.reset();
}

caf::error resp_connection::open() {
  auto& my = *impl_;
  close();
  if (!my.address)
    return my.problem(errc::config_invalid, "its url is none");
  my.parser.reset();
  const auto deadline = clock::now() + my.settings.connect_timeout;
  auto sign_in = command({"AUTH", my.settings.management_key.reveal()});
  auto error = my.socket.open(deadline);
  if (!error)
    error = my.ask(sign_in, deadline, {});
  OPENSSL_cleanse(sign_in.data(), sign_in.size());
  if (error) {
    const auto code = code_of(error);
    if (code == errc::timed_out)
      error = my.problem(errc::node_timeout, "signing in to the queue");
    return my.closed(std::move(error));
  }
  const auto& answer = my.parser.reply()[0];
  if (answer.kind == type::error)
    return my.closed(judge_error_reply(my.settings.node, answer.text));
  if (answer.kind != type::status || answer.text != "OK")
    return my.closed(my.problem(errc::node_answer_malformed, "no answer to the sign-in"));
  my.open = true;
  my.heard = clock::now();
  return {};
}

caf::error resp_connection::subscribe(std::string_view channel) {
  auto& my = *impl_;
  if (!my.open || !my.channel.empty() || my.awaiting_pop)
    return my.problem(errc::internal, "subscribing on a connection that is not free");
  const auto timeout = my.settings.answer_timeout;
  if (auto error = my.ask(command({"SUBSCRIBE", channel}), clock::now() + timeout, {}))
    return my.closed(code_of(error) == errc::timed_out ? my.problem(errc::node_timeout, "subscribing") : error);
  const auto reply = my.parser.reply();
  if (reply[0].kind == type::error) {
    auto error = judge_error_reply(my.settings.node, reply[0].text);
    return code_of(error) == errc::node_without_subscribe ? error : my.closed(std::move(error));
  }
  if (reply.size() != 4 || reply[1].text != "subscribe" || reply[2].text != channel || reply[3].kind != type::integer)
    return my.closed(my.problem(errc::node_answer_malformed, "no answer to the subscription"));
  my.channel = channel;
  return {};
}

resp_batch resp_connection::read(std::chrono::milliseconds timeout) {
  auto& my = *impl_;
  if (my.ending) {
    auto told = std::move(*my.ending);
    my.ending.reset();
    return told;
  }
  if (!my.open || my.channel.empty())
    return my.end_with(meaning::closed, my.problem(errc::internal, "reading without a subscription"));
  my.payloads.clear();
  const auto deadline = clock::now() + timeout;
  for (;;) {
    my.take_pushes();
    if (!my.payloads.empty())
      return my.with_payloads();
    if (my.ending)
      return read(timeout);
    const auto liveness = my.pinged ? *my.pinged + my.settings.ping_timeout : my.heard + my.settings.ping_after;
    const auto error = my.receive_given(std::min(deadline, liveness));
    if (error && code_of(error) != errc::timed_out)
      return my.end_with(meaning::closed, error);
    if (!error)
      my.take_pushes();
    else if (auto silent = my.ping_if_due())
      return my.end_with(meaning::closed, std::move(silent));
    if (my.payloads.empty() && !my.ending && clock::now() >= deadline) {
      resp_batch nothing;
      nothing.what = meaning::timeout;
      return nothing;
    }
  }
}

resp_batch resp_connection::pop(std::size_t count) {
  auto& my = *impl_;
  if (!my.open || !my.channel.empty())
    return my.end_with(meaning::closed, my.problem(errc::internal, "popping on a connection that is not free"));
  my.payloads.clear();
  const auto timeout = my.settings.answer_timeout;
  caf::error error;
  if (my.awaiting_pop) {
    error = my.await_reply(clock::now() + timeout, timeout);
  } else {
    my.awaiting_pop = true;
    error = my.ask(command({"LPOP", "usage", std::to_string(count)}), clock::now() + timeout, timeout);
  }
  if (code_of(error) == errc::timed_out) {
    resp_batch nothing;
    nothing.what = meaning::timeout;
    return nothing;
  }
  const auto reply = error ? my.parser.unfinished() : my.parser.reply();
  const bool fine = my.take_popped(reply);
  resp_batch batch = my.with_payloads();
  if (!reply.empty() && reply[0].kind == type::array)
    batch.missing = static_cast<std::uint64_t>(reply[0].number)
                    - std::min<std::uint64_t>(static_cast<std::uint64_t>(reply[0].number), my.payloads.size());
  if (!error && fine) {
    my.awaiting_pop = false;
    return batch;
  }
  batch.what = meaning::refused;
  if (!error && reply[0].kind == type::error)
    batch.problem = judge_error_reply(my.settings.node, reply[0].text);
  else if (!error)
    batch.problem = my.problem(errc::node_answer_malformed, "something else than records in the queue's reply");
  else {
    batch.what = my.parser.problem() ? meaning::refused : meaning::closed;
    batch.problem = std::move(error);
  }
  my.close();
  return batch;
}

} // namespace keyportal::cpa
