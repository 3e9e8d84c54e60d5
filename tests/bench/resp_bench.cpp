// resp.parse: pushed usage records out of bytes, against a parser that goes byte by byte and copies what it finds.
// queue.decode: records out of JSON, with their ids.
#include <cstdlib>

#include "actors/cpa/queue_record.hpp"
#include "actors/cpa/resp_parser.hpp"
#include "tests/bench/figure.hpp"
#include "tests/unit/queue/sample.hpp"

using namespace keyportal;
using namespace keyportal::bench;
using keyportal::test::sample_record;

namespace {

constexpr std::size_t piece = 256U << 10; // what one receive brings

/// The plain way: every byte looked at, every value a std::string.
class plain_parser {
public:
  template <class OnPayload>
  void feed(std::string_view bytes, OnPayload&& on_payload) {
    for (const char c : bytes) {
      if (text_left_ > 0) {
        text_.push_back(c);
        if (--text_left_ == 0) {
          text_.resize(text_.size() - 2);
          values_.push_back(text_);
          text_.clear();
          if (values_.size() == 3) {
            on_payload(values_[2]);
            values_.clear();
          }
        }
      } else if (c == '\n') {
        if (line_[0] == '$')
          text_left_ = std::strtoull(line_.c_str() + 1, nullptr, 10) + 2;
        line_.clear();
      } else {
        line_.push_back(c);
      }
    }
  }

private:
  std::string line_, text_;
  std::vector<std::string> values_;
  std::size_t text_left_ = 0;
};

double seconds(double begin_ms) { return (cpu_ms() - begin_ms) / 1e3; }

void parse(std::string_view stream, std::size_t records, int rounds) {
  std::vector<double> ours, plain;
  for (int round = 0; round < rounds; ++round) {
    cpa::resp_parser parser;
    std::size_t seen = 0, bytes = 0;
    const auto begin = cpu_ms();
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      parser.feed(stream.substr(at, piece)); // copies, as receiving from the kernel does
      cpa::resp_message message;
      while (parser.next() == cpa::resp_parser::step::reply)
        if (cpa::read_message(parser.reply(), message)) {
          ++seen;
          bytes += message.payload.size();
        }
    }
    ours.push_back(seconds(begin));
    if (seen != records || bytes == 0)
      std::abort();
  }
  for (int round = 0; round < rounds; ++round) {
    plain_parser parser;
    std::size_t seen = 0, bytes = 0;
    const auto begin = cpu_ms();
    for (std::size_t at = 0; at < stream.size(); at += piece)
      parser.feed(stream.substr(at, piece), [&](const std::string& payload) {
        ++seen;
        bytes += payload.size();
      });
    plain.push_back(seconds(begin));
    if (seen != records || bytes == 0)
      std::abort();
  }
  const auto mb = static_cast<double>(stream.size()) / 1e6;
  const auto best = percentile(ours, 0.5);
  figure("resp.parse", mb / best, "MB/s", records, "byte by byte into std::string", percentile(plain, 0.5) / best);
}

void decode(std::size_t records, int rounds) {
  std::vector<std::string> payloads; // few, for what is decoded has just been received
  for (std::size_t i = 0; i < 1'000; ++i)
    payloads.push_back(sample_record(i));
  const cpa::decode_rule rule{"bench", cpa::decode_rule::identity::as_queue_record};
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    std::int64_t tokens = 0;
    const auto begin = cpu_ms();
    for (std::size_t i = 0; i < records; ++i) {
      auto item = cpa::decode_queue_record(payloads[i % payloads.size()], rule);
      if (!item)
        std::abort();
      tokens += std::get<cpa::queue_record>(*item).what.parts.total();
    }
    times.push_back(seconds(begin));
    if (tokens == 0)
      std::abort();
  }
  figure("queue.decode", static_cast<double>(records) / percentile(times, 0.5), "records/s", records);
}

void split(std::size_t records, int rounds) {
  std::string body = "[";
  for (std::size_t i = 0; i < records; ++i)
    (body += i == 0 ? "" : ",") += sample_record(i);
  body += "]";
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    const auto begin = cpu_ms();
    if (cpa::split_queue_answer(body).elements.size() != records)
      std::abort();
    times.push_back(seconds(begin));
  }
  figure("queue.split", static_cast<double>(body.size()) / 1e6 / percentile(times, 0.5), "MB/s", records);
}

} // namespace

int main() {
  constexpr std::size_t records = 100'000;
  {
    std::string stream;
    for (std::size_t i = 0; i < records; ++i)
      stream += test::push_of(sample_record(i));
    parse(stream, records, 9);
  }
  decode(records, 9);
  split(records, 9);
}
