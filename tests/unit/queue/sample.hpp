// Records in the shape of CPA 7.2.140's usage queue.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace keyportal::test {

/// A record of about 1.3 kB; different for every `i`.
inline std::string sample_record(std::uint64_t i) {
  const auto input = 200 + i % 3000, cached = input / 4, output = 20 + i % 700, reasoning = output / 3;
  return fmt::format(
    R"({{"timestamp":"2026-11-23T04:39:{:02}.{:09}+08:00","latency_ms":{},"ttft_ms":{},"source":"up-key-A",)"
    R"("auth_index":"fac00539a2bee80c","client_ip":"172.18.0.1","x_forwarded_for":"203.0.113.7",)"
    R"("user_agent":"codex_cli_rs/0.1","tokens":{{"input_tokens":{},"output_tokens":{},"reasoning_tokens":{},)"
    R"("cached_tokens":{},"cache_read_tokens":{},"cache_read_tokens_present":true,"cache_creation_tokens":0,)"
    R"("total_tokens":{}}},"failed":false,"generate":true,"fail":{{"status_code":200,"body":""}},)"
    R"("response_headers":{{"Connection":["keep-alive"],"Content-Type":["application/json"],)"
    R"("Date":["Sun, 22 Nov 2026 20:39:08 GMT"],"Set-Cookie":["session=not-for-us"],)"
    R"("X-Ratelimit-Remaining-Requests":["77"],"X-Request-Id":["req_{:08x}"]}},"accounting_version":2,)"
    R"("token_breakdown":{{"schema_version":2,"quality":"complete","total_tokens":{},"input":{{"total_tokens":{},)"
    R"("uncached_tokens":{},"cache_read_tokens":{},"cache_write_tokens":0}},"output":{{"total_tokens":{},)"
    R"("non_reasoning_tokens":{},"reasoning_tokens":{}}},"unclassified_tokens":0}},)"
    R"("provider":"openai-compatible-fakeup","executor_type":"OpenAICompatExecutor","model":"up-model-{}",)"
    R"("alias":"team-model","endpoint":"POST /v1/chat/completions","auth_type":"apikey",)"
    R"("api_key":"sk-portal-alice-{:04}","request_id":"{:08x}","reasoning_effort":"","service_tier":"auto"}})",
    i / 1'000'000'000 % 60, i % 1'000'000'000, 1 + i % 9000, i % 500, input, output, reasoning, cached, cached,
    input + output, i, input + output, input, input - cached, cached, output, output - reasoning, reasoning, i % 8,
    i % 30, static_cast<std::uint32_t>(i * 2654435761U));
}

/// As a subscriber is sent it.
inline std::string push_of(std::string_view payload, std::string_view channel = "usage") {
  return fmt::format("*3\r\n$7\r\nmessage\r\n${}\r\n{}\r\n${}\r\n{}\r\n", channel.size(), channel, payload.size(),
                     payload);
}

inline std::string bulk_of(std::string_view text) { return fmt::format("${}\r\n{}\r\n", text.size(), text); }

} // namespace keyportal::test
