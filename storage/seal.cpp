#include "storage/seal.hpp"

#include <cerrno>
#include <climits>
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

namespace keyportal::storage {
namespace {

constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;
constexpr char key_number = 1; // of the key that sealed; a second one comes with rotation

class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

private:
  int fd_;
};

using file_bytes = std::array<std::uint8_t, 2 * sealer::key_bytes>;

caf::error unusable(const std::filesystem::path& file, std::string_view why) {
  return make_error(errc::seal_key_unusable, fmt::format("{}: {}", file.string(), why));
}

bool write_all(int fd, const file_bytes& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const auto n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

// Written beside and renamed: a crash leaves either no key file or a whole one, durable before anything is sealed.
caf::error create(const std::filesystem::path& file) {
  file_bytes bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    return unusable(file, "the system gives no random numbers");
  auto beside = file;
  beside += ".new";
  ::unlink(beside.c_str());
  const descriptor out{::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  const bool written = out.get() >= 0 && write_all(out.get(), bytes) && ::fsync(out.get()) == 0
                       && ::rename(beside.c_str(), file.c_str()) == 0;
  const int cause = errno;
  OPENSSL_cleanse(bytes.data(), bytes.size());
  if (!written)
    return unusable(file, fmt::format("cannot be written: {}", std::strerror(cause)));
  const descriptor folder{::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.get() < 0 || ::fsync(folder.get()) != 0)
    return unusable(file, fmt::format("cannot be made durable: {}", std::strerror(errno)));
  return {};
}

struct context_deleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, context_deleter>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

constexpr std::string_view base32 = "abcdefghijklmnopqrstuvwxyz234567";

} // namespace

sealer::~sealer() {
  OPENSSL_cleanse(seal_key_.data(), seal_key_.size());
  OPENSSL_cleanse(lookup_key_.data(), lookup_key_.size());
}

caf::expected<sealer> sealer::of(std::string_view bytes) {
  if (bytes.size() != 2 * key_bytes)
    return make_error(errc::seal_key_unusable, fmt::format("{} bytes instead of {}", bytes.size(), 2 * key_bytes));
  sealer result;
  std::memcpy(result.seal_key_.data(), bytes.data(), key_bytes);
  std::memcpy(result.lookup_key_.data(), bytes.data() + key_bytes, key_bytes);
  return result;
}

caf::expected<sealer> sealer::load(const std::filesystem::path& file, bool may_create) {
  constexpr int how = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  int fd = ::open(file.c_str(), how);
  if (fd < 0 && errno == ENOENT && may_create) {
    if (auto failed = create(file))
      return failed;
    fd = ::open(file.c_str(), how);
  }
  const descriptor in{fd};
  if (fd < 0)
    return unusable(file, errno == ENOENT ? "is missing, but the database beside it needs it" : std::strerror(errno));
  struct stat facts {};
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
    return unusable(file, "is no regular file");
  if ((facts.st_mode & 07177) != 0)
    return unusable(file, fmt::format("has mode {:04o}; only its owner may read it (chmod 600)",
                                      static_cast<unsigned>(facts.st_mode & 07777)));
  file_bytes bytes{};
  if (facts.st_size != static_cast<off_t>(bytes.size()))
    return unusable(file, fmt::format("has {} bytes instead of {}", facts.st_size, bytes.size()));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n = ::read(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return unusable(file, "cannot be read");
    done += static_cast<std::size_t>(n);
  }
  sealer result;
  std::memcpy(result.seal_key_.data(), bytes.data(), key_bytes);
  std::memcpy(result.lookup_key_.data(), bytes.data() + key_bytes, key_bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return result;
}

// Layout: key number (1), nonce (12), ciphertext (as long as the text), tag (16).
caf::expected<std::string> sealer::seal(std::string_view plain, std::string_view bound_to) const {
  const cipher_context context{EVP_CIPHER_CTX_new()};
  std::string out(overhead_bytes + plain.size(), '\0');
  out[0] = key_number;
  auto* nonce = bytes_of(out) + 1;
  auto* text = nonce + nonce_bytes;
  int length = 0;
  if (plain.size() > INT_MAX - overhead_bytes || !context || RAND_bytes(nonce, nonce_bytes) != 1
      || EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, seal_key_.data(), nonce) != 1
      || EVP_EncryptUpdate(context.get(), nullptr, &length, bytes_of(bound_to), static_cast<int>(bound_to.size())) != 1
      || EVP_EncryptUpdate(context.get(), text, &length, bytes_of(plain), static_cast<int>(plain.size())) != 1
      || EVP_EncryptFinal_ex(context.get(), text + plain.size(), &length) != 1
      || EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, text + plain.size()) != 1)
    return make_error(errc::internal, "sealing failed");
  return out;
}

caf::expected<std::string> sealer::open(std::string_view sealed, std::string_view bound_to) const {
  if (sealed.size() < overhead_bytes || sealed.size() > INT_MAX)
    return make_error(errc::seal_broken, "too short");
  if (sealed[0] != key_number)
    return make_error(errc::seal_broken, "sealed with an unknown key");
  const cipher_context context{EVP_CIPHER_CTX_new()};
  const auto size = sealed.size() - overhead_bytes;
  const auto* nonce = bytes_of(sealed) + 1;
  const auto* text = nonce + nonce_bytes;
  std::array<unsigned char, tag_bytes> tag;
  std::memcpy(tag.data(), text + size, tag_bytes);
  std::string out(size, '\0');
  int length = 0;
  if (!context || EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, seal_key_.data(), nonce) != 1
      || EVP_DecryptUpdate(context.get(), nullptr, &length, bytes_of(bound_to), static_cast<int>(bound_to.size())) != 1
      || EVP_DecryptUpdate(context.get(), bytes_of(out), &length, text, static_cast<int>(size)) != 1
      || EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()) != 1
      || EVP_DecryptFinal_ex(context.get(), bytes_of(out) + size, &length) != 1)
    return make_error(errc::seal_broken);
  return out;
}

std::array<std::uint8_t, 32> sealer::lookup_hash(name_kind kind, std::string_view text) const {
  std::string message(1, static_cast<char>(kind));
  message += text;
  std::array<std::uint8_t, 32> out{};
  unsigned length = out.size();
  HMAC(EVP_sha256(), lookup_key_.data(), key_bytes, bytes_of(std::string_view{message}), message.size(), out.data(),
       &length);
  return out;
}

key_id sealer::id_of_key(std::string_view client_key) const {
  const auto hash = lookup_hash(name_kind::client_key, client_key);
  key_id out = "k";
  unsigned bits = 0;
  unsigned held = 0;
  for (std::size_t i = 0; out.size() < 27; held -= 5) {
    if (held < 5) {
      bits = (bits << 8) | hash[i++];
      held += 8;
    }
    out.push_back(base32[(bits >> (held - 5)) & 31]);
  }
  return out;
}

std::string sealer::fingerprint() const {
  // Kind 0 names nothing, so this hash cannot meet that of a name. Both keys are in it.
  std::string both(seal_key_.begin(), seal_key_.end());
  const auto hash = lookup_hash(name_kind{}, both);
  OPENSSL_cleanse(both.data(), both.size());
  return {hash.begin(), hash.begin() + 16};
}

} // namespace keyportal::storage
