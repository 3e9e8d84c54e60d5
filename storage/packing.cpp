#include "storage/packing.hpp"

#include <memory>

#include <fmt/core.h>
#include <zstd.h>

#include "messages/errors.hpp"
#include "storage/encoding.hpp"

namespace keyportal::storage {
namespace {

// On disk, sealed: the first byte of the text.
constexpr char plain_form = 0;
constexpr char zstd_form = 1;       ///< followed by the size of the text as a varint
constexpr char dictionary_form = 2; ///< likewise; with `known_phrases`

constexpr int compression_level = 1; // higher ones cost more time and bring nothing with such texts
constexpr int quick_level = -3;      // half the time, half as small

// A node that is not busy sends its records one by one, and one alone hardly gets smaller: nothing in it recurs. This is
// what recurs in all of them. On disk: what was packed with it cannot be read without it, so it is never changed; a
// better one is another form.
constexpr std::string_view known_phrases =
  R"({"timestamp":"2026-08-22T09:15:02.123456789+08:00","latency_ms":,"ttft_ms":,"source":"@example.com","auth_index":")"
  R"(","access_token_sha256":"","client_ip":"172.18.0.1","x_forwarded_for":"","user_agent":"codex_cli_rs/0.","tokens":)"
  R"({"input_tokens":,"output_tokens":,"reasoning_tokens":0,"cached_tokens":0,"cache_read_tokens":0,)"
  R"("cache_read_tokens_present":true,"cache_creation_tokens":0,"total_tokens":},"failed":false,"generate":true,"fail":)"
  R"({"status_code":200,"body":""},"response_headers":{"Content-Type":["text/event-stream"]},"accounting_version":2,)"
  R"("token_breakdown":{"schema_version":2,"quality":"complete","total_tokens":,"input":{"total_tokens":,)"
  R"("uncached_tokens":,"cache_read_tokens":0,"cache_write_tokens":0},"output":{"total_tokens":,)"
  R"("non_reasoning_tokens":,"reasoning_tokens":0},"unclassified_tokens":0},"provider":"claude","executor_type":)"
  R"("ClaudeExecutor","model":"claude-sonnet-4-5-20250929","alias":"gpt-5.4","endpoint":"POST /v1/chat/completions",)"
  R"("auth_type":"apikey","api_key":"sk-","request_id":"","reasoning_effort":"medium","service_tier":"default"})"
  R"(Anthropic-Ratelimit-Unified-5h-Utilization":["0."],"X-Ratelimit-Remaining-Tokens":[""],"Request-Id":["req_"])"
  R"({"accounting_version":2,"access_token_sha256":"","auth_type":"oauth","client_ip":"172.18.0.1","executor_type":)"
  R"("CodexExecutor","fail":{"body":"usage limit reached","status_code":429},"fail":{"body":"","status_code":200},)"
  R"("generate":true,"reasoning_effort":"high","request_id":"","response_headers":{"X-Codex-Primary-Reset-After-Seconds":)"
  R"([""],"X-Codex-Primary-Used-Percent":["12"],"X-Codex-Primary-Window-Minutes":["300"],"X-Request-Id":[""]},)"
  R"("response_service_tier":"default","service_tier":"auto","token_breakdown":{"input":{"cache_read_tokens":0,)"
  R"("cache_write_tokens":0,"total_tokens":,"uncached_tokens":},"output":{"non_reasoning_tokens":,"reasoning_tokens":0,)"
  R"("total_tokens":},"quality":"complete","schema_version":2,"total_tokens":,"unclassified_tokens":0},"tokens":)"
  R"({"cache_creation_tokens":0,"cache_read_tokens":,"cache_read_tokens_present":true},"user_agent":"codex_cli_rs/0.",)"
  R"("x_forwarded_for":""})";
constexpr std::size_t longest_with_phrases = std::size_t{16} << 10; // beyond, a text has its own

struct context_deleter {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(ZSTD_CDict* phrases) const { ZSTD_freeCDict(phrases); }
  void operator()(ZSTD_DDict* phrases) const { ZSTD_freeDDict(phrases); }
};

// Making a context costs more than compressing a small text.
ZSTD_CCtx* compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, context_deleter> context{ZSTD_createCCtx()};
  return context.get();
}

ZSTD_DCtx* decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, context_deleter> context{ZSTD_createDCtx()};
  return context.get();
}

const ZSTD_CDict* phrases_to_compress() {
  static const std::unique_ptr<ZSTD_CDict, context_deleter> phrases{
    ZSTD_createCDict(known_phrases.data(), known_phrases.size(), compression_level)};
  return phrases.get();
}

const ZSTD_DDict* phrases_to_decompress() {
  static const std::unique_ptr<ZSTD_DDict, context_deleter> phrases{
    ZSTD_createDDict(known_phrases.data(), known_phrases.size())};
  return phrases.get();
}

} // namespace

caf::expected<std::string> pack(const sealer& seal, std::string_view plain, std::string_view bound_to, packing how) {
  if (plain.size() > longest_packed_bytes)
    return make_error(errc::bad_request, fmt::format("{} bytes in one piece", plain.size()));
  const bool with_phrases = plain.size() <= longest_with_phrases;
  if (compressor() == nullptr || (with_phrases && phrases_to_compress() == nullptr))
    return make_error(errc::internal, "no memory to compress with");
  std::string form(1, with_phrases ? dictionary_form : zstd_form);
  put_varint(form, plain.size());
  const auto head = form.size();
  form.resize(head + ZSTD_compressBound(plain.size()));
  auto* to = form.data() + head;
  const auto room = form.size() - head;
  const auto size =
    with_phrases ? ZSTD_compress_usingCDict(compressor(), to, room, plain.data(), plain.size(), phrases_to_compress())
                 : ZSTD_compressCCtx(compressor(), to, room, plain.data(), plain.size(),
                                     how == packing::quick ? quick_level : compression_level);
  if (ZSTD_isError(size) || head + size > plain.size()) {
    form.assign(1, plain_form);
    form.append(plain);
  } else {
    form.resize(head + size);
  }
  return seal.seal(form, bound_to);
}

caf::expected<std::string> unpack(const sealer& seal, std::string_view packed, std::string_view bound_to) {
  auto form = seal.open(packed, bound_to);
  if (!form)
    return form;
  std::string_view in{*form};
  const char kind = in.empty() ? '\xff' : in.front();
  in.remove_prefix(in.empty() ? 0 : 1);
  if (kind == plain_form)
    return std::string{in};
  std::uint64_t size = 0;
  if ((kind != zstd_form && kind != dictionary_form) || !get_varint(in, size) || size > longest_packed_bytes)
    return make_error(errc::seal_broken, "in an unknown form");
  if (decompressor() == nullptr || phrases_to_decompress() == nullptr)
    return make_error(errc::internal, "no memory to decompress with");
  std::string out(size, '\0');
  const auto got = kind == zstd_form ? ZSTD_decompressDCtx(decompressor(), out.data(), out.size(), in.data(), in.size())
                                     : ZSTD_decompress_usingDDict(decompressor(), out.data(), out.size(), in.data(),
                                                                  in.size(), phrases_to_decompress());
  if (ZSTD_isError(got) || got != size)
    return make_error(errc::seal_broken, "cannot be decompressed");
  return out;
}

} // namespace keyportal::storage
