// Payloads as they are kept in the inbox: how many, how long each, then their bytes.
#pragma once

#include <string>
#include <string_view>

#include "messages/events.hpp"
#include "storage/encoding.hpp"

namespace keyportal::storage {

/// At least one payload, the ends ascend and the last one is where the bytes end.
[[nodiscard]] inline bool is_whole(const payload_batch& batch) {
  std::uint32_t before = 0;
  for (const auto end : batch.ends) {
    if (end < before)
      return false;
    before = end;
  }
  return !batch.ends.empty() && before == batch.bytes.size();
}

inline std::string encode(const payload_batch& batch) {
  std::string out;
  out.reserve(batch.bytes.size() + 4 * batch.ends.size() + 8);
  put_varint(out, batch.ends.size());
  std::uint32_t before = 0;
  for (const auto end : batch.ends) {
    put_varint(out, end - before);
    before = end;
  }
  out.append(batch.bytes);
  return out;
}

[[nodiscard]] inline bool decode(std::string_view in, payload_batch& out) {
  std::uint64_t count = 0;
  if (!get_varint(in, count) || count > in.size())
    return false;
  out.ends.resize(count);
  std::uint64_t end = 0;
  for (auto& one : out.ends) {
    std::uint32_t size = 0;
    if (!get_varint(in, size) || (end += size) > UINT32_MAX)
      return false;
    one = static_cast<std::uint32_t>(end);
  }
  out.bytes.assign(in);
  return is_whole(out);
}

} // namespace keyportal::storage
