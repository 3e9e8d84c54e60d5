#include "storage/backup/vault.hpp"

#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "messages/errors.hpp"
#include "storage/backup/files.hpp"

namespace keyportal::backup {

namespace {

constexpr std::string_view magic = "KPB1";
constexpr std::size_t salt_bytes = 16;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t piece_bytes = std::size_t{1} << 20;
// 32 MiB and some tenths of a second for each try at a passphrase.
constexpr std::uint64_t scrypt_n = 32'768, scrypt_r = 8, scrypt_p = 1;
constexpr std::uint64_t scrypt_memory = std::uint64_t{256} << 20;

const unsigned char* in_bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* in_bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

caf::error unusable(const std::filesystem::path& file, std::string_view why) {
  return make_error(errc::backup_key_unusable, fmt::format("{}: {}", file.string(), why));
}

struct cipher_deleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, cipher_deleter>;
struct digest_deleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using digest_context = std::unique_ptr<EVP_MD_CTX, digest_deleter>;

std::array<std::uint8_t, 32> hmac(const std::array<std::uint8_t, 32>& key, std::string_view text) {
  std::array<std::uint8_t, 32> out{};
  unsigned length = out.size();
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), in_bytes(text), text.size(), out.data(), &length);
  return out;
}

std::array<std::uint8_t, 12> nonce_of(std::uint64_t number) {
  std::array<std::uint8_t, 12> out{};
  for (int i = 0; i < 8; ++i)
    out[11 - static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(number >> (8 * i));
  return out;
}

/// A file of the key's owner alone; at most 4 KiB of it.
caf::expected<std::string> read_secret(const std::filesystem::path& file) {
  const descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat facts {};
  if (in.get() < 0 || ::fstat(in.get(), &facts) != 0)
    return unusable(file, std::strerror(errno));
  if (!S_ISREG(facts.st_mode))
    return unusable(file, "is no regular file");
  if ((facts.st_mode & 0077) != 0)
    return unusable(file, fmt::format("has mode {:04o}; only its owner may read it (chmod 600)",
                                      static_cast<unsigned>(facts.st_mode & 07777)));
  std::string text(4096, '\0');
  const auto got = ::read(in.get(), text.data(), text.size());
  if (got < 0)
    return unusable(file, std::strerror(errno));
  text.resize(static_cast<std::size_t>(got));
  return text;
}

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

} // namespace

vault::~vault() {
  OPENSSL_cleanse(cipher_.data(), cipher_.size());
  OPENSSL_cleanse(name_.data(), name_.size());
}

vault::vault(const key& from)
  : cipher_(hmac(from, "keyportal backup: content")), name_(hmac(from, "keyportal backup: names")),
    check_(hmac(from, "keyportal backup: check")) {}

caf::expected<vault::key> vault::master(const key_source& from, const key_header& header) {
  key out{};
  if (header.stretched) {
    if (from.passphrase_file.empty())
      return make_error(errc::backup_key_unusable, "these backups have a passphrase, not a key file");
    auto text = read_secret(from.passphrase_file);
    if (!text)
      return text.error();
    text->resize(std::min(text->find_first_of("\r\n"), text->size()));
    const bool made =
      text->size() >= 12 && header.n <= (std::uint64_t{1} << 20) && header.r <= 32 && header.p <= 16
      && EVP_PBE_scrypt(text->data(), text->size(), in_bytes(std::string_view{header.salt}), header.salt.size(),
                        header.n, header.r, header.p, scrypt_memory, out.data(), out.size())
           == 1;
    const bool too_short = text->size() < 12;
    OPENSSL_cleanse(text->data(), text->size());
    if (too_short)
      return unusable(from.passphrase_file, "the passphrase has fewer than 12 characters");
    if (!made)
      return unusable(from.passphrase_file, "no key can be made of it");
    return out;
  }
  if (from.key_file.empty())
    return make_error(errc::backup_key_unusable, "these backups have a key file, not a passphrase");
  auto text = read_secret(from.key_file);
  if (!text)
    return text.error();
  std::string raw;
  if (text->size() == 32) {
    raw = *text;
  } else {
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r'))
      text->pop_back();
    bool fine = text->size() == 64;
    for (std::size_t i = 0; fine && i < 64; i += 2) {
      const int high = hex_digit((*text)[i]), low = hex_digit((*text)[i + 1]);
      fine = high >= 0 && low >= 0;
      raw.push_back(static_cast<char>(high * 16 + low));
    }
    if (!fine)
      raw.clear();
  }
  OPENSSL_cleanse(text->data(), text->size());
  if (raw.size() != 32)
    return unusable(from.key_file, "is neither 32 bytes nor 64 hexadecimal digits");
  std::memcpy(out.data(), raw.data(), raw.size());
  OPENSSL_cleanse(raw.data(), raw.size());
  return hmac(out, header.salt);
}

caf::expected<vault> vault::make(const key_source& from, key_header& header) {
  header = {};
  header.salt.resize(32);
  if (RAND_bytes(in_bytes(header.salt), 32) != 1)
    return make_error(errc::internal, "no random bytes");
  header.stretched = from.key_file.empty();
  if (header.stretched) {
    header.n = scrypt_n;
    header.r = scrypt_r;
    header.p = scrypt_p;
  }
  const auto key = master(from, header);
  if (!key)
    return key.error();
  vault out{*key};
  header.check.assign(out.check_.begin(), out.check_.end());
  return out;
}

caf::expected<vault> vault::open(const key_source& from, const key_header& header) {
  const auto key = master(from, header);
  if (!key)
    return key.error();
  vault out{*key};
  if (header.check.size() != out.check_.size()
      || CRYPTO_memcmp(header.check.data(), out.check_.data(), out.check_.size()) != 0)
    return make_error(errc::backup_key_unusable);
  return out;
}

std::string vault::name_of(const key& hash) const {
  const auto keyed = hmac(name_, {reinterpret_cast<const char*>(hash.data()), hash.size()});
  std::string out;
  for (const auto byte : keyed)
    out += fmt::format("{:02x}", byte);
  return out;
}

caf::expected<vault::sealed> vault::write(const std::filesystem::path& file, const source& from) const {
  std::string head{magic};
  head.resize(magic.size() + salt_bytes);
  if (RAND_bytes(in_bytes(head) + magic.size(), salt_bytes) != 1)
    return make_error(errc::internal, "no random bytes");
  const auto own = hmac(cipher_, head);
  auto out = new_file::create(file);
  if (!out)
    return out.error();
  if (auto failed = out->write(head))
    return failed;
  sealed done;
  done.file_bytes = head.size();
  const cipher_context cipher{EVP_CIPHER_CTX_new()};
  const digest_context digest{EVP_MD_CTX_new()};
  if (!cipher || !digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1)
    return make_error(errc::internal, "sealing failed");
  std::string piece, next, code;
  const auto fill = [&](std::string& to) -> caf::error {
    to.clear();
    while (to.size() < piece_bytes) {
      const auto before = to.size();
      if (auto failed = from(to, piece_bytes - before))
        return failed;
      if (to.size() == before)
        break;
    }
    return {};
  };
  if (auto failed = fill(piece))
    return failed;
  for (std::uint64_t number = 0;; ++number) {
    next.clear();
    if (piece.size() == piece_bytes)
      if (auto failed = fill(next))
        return failed;
    const unsigned char last = piece.size() < piece_bytes || next.empty() ? 1 : 0;
    const auto nonce = nonce_of(number);
    code.resize(piece.size() + tag_bytes);
    int length = 0;
    if (EVP_DigestUpdate(digest.get(), piece.data(), piece.size()) != 1
        || EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, own.data(), nonce.data()) != 1
        || EVP_EncryptUpdate(cipher.get(), nullptr, &length, &last, 1) != 1
        || EVP_EncryptUpdate(cipher.get(), in_bytes(code), &length, in_bytes(std::string_view{piece}),
                             static_cast<int>(piece.size()))
             != 1
        || EVP_EncryptFinal_ex(cipher.get(), in_bytes(code) + piece.size(), &length) != 1
        || EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, in_bytes(code) + piece.size()) != 1)
      return make_error(errc::internal, "sealing failed");
    if (auto failed = out->write(code))
      return failed;
    done.bytes += piece.size();
    done.file_bytes += code.size();
    if (last != 0)
      break;
    std::swap(piece, next);
  }
  key hash{};
  unsigned length = hash.size();
  if (EVP_DigestFinal_ex(digest.get(), hash.data(), &length) != 1)
    return make_error(errc::internal, "sealing failed");
  done.name = name_of(hash);
  if (auto failed = out->finish())
    return failed;
  return done;
}

caf::expected<std::uint64_t> vault::read(const std::filesystem::path& file, std::string_view name,
                                         const sink& to) const {
  const auto broken = [&](std::string_view why) {
    return make_error(errc::backup_broken, fmt::format("{}: {}", file.string(), why));
  };
  const descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (in.get() < 0)
    return errno == ENOENT ? broken("is missing") : broken(std::strerror(errno));
  const auto fill = [&](std::string& text, std::size_t size) {
    text.resize(size);
    std::size_t done = 0;
    while (done < size) {
      const auto got = ::read(in.get(), text.data() + done, size - done);
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        break;
      done += static_cast<std::size_t>(got);
    }
    text.resize(done);
  };
  std::string head, code, next, plain;
  fill(head, magic.size() + salt_bytes);
  if (head.size() != magic.size() + salt_bytes || !head.starts_with(magic))
    return broken("is no file of a backup");
  const auto own = hmac(cipher_, head);
  const cipher_context cipher{EVP_CIPHER_CTX_new()};
  const digest_context digest{EVP_MD_CTX_new()};
  if (!cipher || !digest || EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) != 1)
    return make_error(errc::internal, "opening failed");
  std::uint64_t bytes = 0;
  fill(code, piece_bytes + tag_bytes);
  for (std::uint64_t number = 0;; ++number) {
    if (code.size() < tag_bytes)
      return broken("is cut off");
    fill(next, piece_bytes + tag_bytes);
    const unsigned char last = next.empty() ? 1 : 0;
    const auto size = code.size() - tag_bytes;
    const auto nonce = nonce_of(number);
    plain.resize(size);
    int length = 0;
    if (EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, own.data(), nonce.data()) != 1
        || EVP_DecryptUpdate(cipher.get(), nullptr, &length, &last, 1) != 1
        || EVP_DecryptUpdate(cipher.get(), in_bytes(plain), &length, in_bytes(std::string_view{code}),
                             static_cast<int>(size))
             != 1
        || EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, in_bytes(code) + size) != 1
        || EVP_DecryptFinal_ex(cipher.get(), in_bytes(plain) + size, &length) != 1)
      return broken("was changed, or is of another key");
    if (EVP_DigestUpdate(digest.get(), plain.data(), plain.size()) != 1)
      return make_error(errc::internal, "opening failed");
    bytes += size;
    if (auto failed = to(plain))
      return failed;
    if (last != 0)
      break;
    std::swap(code, next);
  }
  key hash{};
  unsigned length = hash.size();
  if (EVP_DigestFinal_ex(digest.get(), hash.data(), &length) != 1)
    return make_error(errc::internal, "opening failed");
  if (!name.empty() && name_of(hash) != name)
    return broken("has another content than its name says");
  return bytes;
}

} // namespace keyportal::backup
