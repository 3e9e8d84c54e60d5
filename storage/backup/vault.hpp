// Files of a backup: encrypted, told apart by what is in them, written whole or not at all.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <caf/expected.hpp>

namespace keyportal::backup {

/// Where the key of the backups is; one of the two.
struct key_source {
  std::filesystem::path key_file;        ///< 32 bytes, or 64 hexadecimal digits
  std::filesystem::path passphrase_file; ///< its first line, 12 characters at the least
};

/// How keys are made of what people keep. In clear beside the backups: it tells nothing about them.
struct key_header {
  bool stretched = false; ///< by scrypt, out of a passphrase
  std::string salt;       ///< 32 bytes
  std::uint64_t n = 0, r = 0, p = 0;
  std::string check; ///< 32 bytes, by which another key is noticed
};

/// Encrypts and decrypts; any thread. Layout of a file: "KPB1", 16 random bytes (of them and the key comes the file's own
/// key), then pieces of 1 MiB (the last one may be shorter or empty), each AES-256-GCM with its number as nonce and whether
/// it is the last as additional data, and 16 bytes of tag behind it. So pieces cannot be changed, moved or cut off.
class vault {
public:
  static caf::expected<vault> make(const key_source& from, key_header& header);
  /// `backup_key_unusable` for another key than that of the header.
  static caf::expected<vault> open(const key_source& from, const key_header& header);

  vault(const vault&) = default;
  vault& operator=(const vault&) = default;
  ~vault();

  /// Reads a part of what goes into a file: appends at most so many bytes to the text; none at the end.
  using source = std::function<caf::error(std::string& to, std::size_t at_most)>;
  using sink = std::function<caf::error(std::string_view)>;

  struct sealed {
    std::string name;             ///< of the content: keyed hash, 64 hexadecimal digits
    std::uint64_t bytes = 0;      ///< in clear
    std::uint64_t file_bytes = 0; ///< as it lies there
  };
  /// Reads `from` to its end into a new file (mode 0600), which is durable then. Half a file may stay after an error.
  [[nodiscard]] caf::expected<sealed> write(const std::filesystem::path& file, const source& from) const;
  /// Hands on the content piece by piece, each only when it is proved; the end only if the whole has the name that is
  /// expected (empty: any). `backup_broken` else.
  [[nodiscard]] caf::expected<std::uint64_t> read(const std::filesystem::path& file, std::string_view name,
                                                  const sink& to) const;

private:
  using key = std::array<std::uint8_t, 32>;
  vault() = default;
  static caf::expected<key> master(const key_source& from, const key_header& header);
  explicit vault(const key& from);
  [[nodiscard]] std::string name_of(const key& hash) const;

  key cipher_{};
  key name_{};
  key check_{};
};

} // namespace keyportal::backup
