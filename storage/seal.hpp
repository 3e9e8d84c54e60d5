// Sealing of client keys, sources and snapshots at rest, and the keyed hash by which they are looked up.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "messages/ids.hpp"
#include "storage/keys.hpp"

namespace keyportal::storage {

/// Holds the installation's two keys: one seals (AES-256-GCM), one looks up (HMAC-SHA-256). Immutable after loading:
/// any thread may use it. Whoever has the key file and the database has everything; without the file the sealed parts
/// are lost, so it belongs into a backup of its own.
class sealer {
public:
  static constexpr std::size_t key_bytes = 32;
  /// What sealing adds to a text: key number, nonce, tag.
  static constexpr std::size_t overhead_bytes = 1 + 12 + 16;

  /// Reads the key file, or makes it (mode 0600, durable) if `may_create`. `seal_key_unusable` when it is missing and
  /// must not be made, is no regular file, can be read by others than its owner, or has another size than 64 bytes.
  static caf::expected<sealer> load(const std::filesystem::path& file, bool may_create);

  /// Of 64 bytes, as they stand in a key file.
  static caf::expected<sealer> of(std::string_view bytes);

  /// `bound_to` is the key of the row the sealed text goes to: elsewhere it will not open.
  [[nodiscard]] caf::expected<std::string> seal(std::string_view plain, std::string_view bound_to) const;
  /// `seal_broken` when a bit differs from what was sealed, or it was sealed for another row or with another key.
  [[nodiscard]] caf::expected<std::string> open(std::string_view sealed, std::string_view bound_to) const;

  /// Keyed hash of a name: equal for equal names of this installation only.
  [[nodiscard]] std::array<std::uint8_t, 32> lookup_hash(name_kind kind, std::string_view text) const;
  /// The public name of a client key: "k" and 26 base32 characters of its lookup hash.
  [[nodiscard]] key_id id_of_key(std::string_view client_key) const;
  /// Tells whether a database was sealed with these keys, without telling anything about them.
  [[nodiscard]] std::string fingerprint() const;

  sealer(const sealer&) = default;
  sealer(sealer&&) = default;
  sealer& operator=(const sealer&) = default;
  sealer& operator=(sealer&&) = default;
  ~sealer();

private:
  sealer() = default;
  std::array<std::uint8_t, key_bytes> seal_key_{};
  std::array<std::uint8_t, key_bytes> lookup_key_{};
};

} // namespace keyportal::storage
