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
constexpr char zstd_form = 1; ///< followed by the size of the text as a varint

constexpr int compression_level = 1; // at the rates of a queue the time counts for more than the bytes

struct context_deleter {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
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

} // namespace

caf::expected<std::string> pack(const sealer& seal, std::string_view plain, std::string_view bound_to) {
  if (plain.size() > longest_packed_bytes)
    return make_error(errc::bad_request, fmt::format("{} bytes in one piece", plain.size()));
  std::string form(1, zstd_form);
  put_varint(form, plain.size());
  const auto head = form.size();
  form.resize(head + ZSTD_compressBound(plain.size()));
  const auto size = compressor() == nullptr ? 0
                                            : ZSTD_compressCCtx(compressor(), form.data() + head, form.size() - head,
                                                                plain.data(), plain.size(), compression_level);
  if (size == 0 || ZSTD_isError(size) || head + size > plain.size()) {
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
  if (!in.empty() && in.front() == plain_form)
    return std::string{in.substr(1)};
  std::uint64_t size = 0;
  if (in.empty() || in.front() != zstd_form || (in.remove_prefix(1), !get_varint(in, size))
      || size > longest_packed_bytes || decompressor() == nullptr)
    return make_error(errc::seal_broken, "in an unknown form");
  std::string out(size, '\0');
  const auto got = ZSTD_decompressDCtx(decompressor(), out.data(), out.size(), in.data(), in.size());
  if (ZSTD_isError(got) || got != size)
    return make_error(errc::seal_broken, "cannot be decompressed");
  return out;
}

} // namespace keyportal::storage
