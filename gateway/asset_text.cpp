#include <algorithm>

#include <zlib.h>

#include "gateway/assets.hpp"

namespace keyportal::gateway {

const asset* find_asset(std::string_view path) {
  const auto all = assets(); // sorted by path
  const auto at = std::lower_bound(all.begin(), all.end(), path,
                                   [](const asset& one, std::string_view wanted) { return one.path < wanted; });
  return at != all.end() && at->path == path ? &*at : nullptr;
}

std::string plain_text(const asset& file) {
  if (!file.compressed)
    return std::string(file.text);
  z_stream stream{};
  std::string out;
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) // 16: gzip
    return out;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file.text.data())); // zlib only reads it
  stream.avail_in = static_cast<uInt>(file.text.size());
  for (int told = Z_OK; told == Z_OK;) {
    const auto filled = out.size();
    out.resize(filled + (64 << 10));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
    stream.avail_out = 64 << 10;
    told = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  return out;
}

} // namespace keyportal::gateway
