#include "gateway/tls.hpp"

#include <array>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include "messages/errors.hpp"

namespace keyportal::gateway {

namespace {

constexpr std::uintmax_t largest_file = 1 << 20;

template <auto Free>
struct freed {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};
using bio = std::unique_ptr<BIO, freed<BIO_free_all>>;
using certificate = std::unique_ptr<X509, freed<X509_free>>;
using private_key = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;

caf::error unusable(const std::filesystem::path& file, std::string_view why) {
  ERR_clear_error(); // what is left there would be told to the next one who asks, on whatever connection
  return make_error(errc::certificate_unusable, fmt::format("{}: {}", file.string(), why));
}

caf::expected<std::string> read(const std::filesystem::path& file) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(file, none))
    return unusable(file, "there is no such file");
  if (std::filesystem::file_size(file, none) > largest_file)
    return unusable(file, "it is too large");
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad() || text.empty())
    return unusable(file, "it cannot be read, or is empty");
  return text;
}

bio bio_of(const std::string& text) { return bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

/// Nobody is there to be asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

caf::expected<private_key> read_key(const std::filesystem::path& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return unusable(file, "others than its owner have rights to it; chmod 600 mends that");
  auto text = read(file);
  if (!text)
    return text.error();
  private_key out(PEM_read_bio_PrivateKey(bio_of(*text).get(), nullptr, no_passphrase, nullptr));
  OPENSSL_cleanse(text->data(), text->size());
  if (!out)
    return unusable(file, "it holds no private key in PEM form, or one with a passphrase");
  return out;
}

constexpr std::array<unsigned char, 9> only_http_1_1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

int choose_protocol(SSL*, const unsigned char** out, unsigned char* length, const unsigned char* in, unsigned in_length,
                    void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, length, only_http_1_1.data(), only_http_1_1.size(), in, in_length)
      != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL; // whoever wants something else gets no answer that it would mistake
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

std::optional<std::chrono::system_clock::time_point> end_of(const X509& leaf) {
  std::tm at{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&leaf), &at) != 1)
    return std::nullopt;
  return std::chrono::system_clock::from_time_t(timegm(&at));
}

std::string pin_of(X509& leaf) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&leaf), &der);
  if (size <= 0)
    return {};
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  SHA256(der, static_cast<std::size_t>(size), hash.data());
  OPENSSL_free(der);
  std::array<unsigned char, 4 * ((SHA256_DIGEST_LENGTH + 2) / 3) + 1> text{};
  const int length = EVP_EncodeBlock(text.data(), hash.data(), hash.size());
  return "sha256//" + std::string(reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(length));
}

} // namespace

caf::expected<tls_identity::made> tls_identity::make(const tls_files& files) {
  auto text = read(files.certificate);
  if (!text)
    return text.error();
  auto key = read_key(files.key);
  if (!key)
    return key.error();
  std::shared_ptr<ssl_ctx_st> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context)
    return unusable(files.certificate, "OpenSSL has no memory for it");
  auto* const it = context.get();
  SSL_CTX_set_min_proto_version(it, TLS1_2_VERSION);
  // Tickets are sealed with a key that would have to be changed and shared; a handshake costs less than that.
  SSL_CTX_set_options(it, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE
                            | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_num_tickets(it, 0);
  SSL_CTX_set_session_cache_mode(it, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(it, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_alpn_select_cb(it, choose_protocol, nullptr);

  const auto pem = bio_of(*text);
  const certificate leaf(PEM_read_bio_X509_AUX(pem.get(), nullptr, no_passphrase, nullptr));
  if (!leaf)
    return unusable(files.certificate, "it holds no certificate in PEM form");
  if (SSL_CTX_use_certificate(it, leaf.get()) != 1)
    return unusable(files.certificate, "OpenSSL does not take this certificate; its key or signature may be too weak");
  while (certificate next{PEM_read_bio_X509(pem.get(), nullptr, no_passphrase, nullptr)}) {
    if (SSL_CTX_add0_chain_cert(it, next.get()) != 1)
      return unusable(files.certificate, "OpenSSL does not take one of the certificates behind the first");
    (void)next.release(); // the context has it
  }
  ERR_clear_error(); // that no more certificate follows
  if (SSL_CTX_use_PrivateKey(it, key->get()) != 1 || SSL_CTX_check_private_key(it) != 1)
    return unusable(files.key, "it is not the key of the certificate");
  const auto ends = end_of(*leaf);
  if (!ends)
    return unusable(files.certificate, "it does not say when it ends");
  return made{std::move(context), *ends, pin_of(*leaf)};
}

std::string tls_identity::shape_of_files() const {
  std::string out;
  for (const auto* file : {&files_.certificate, &files_.key}) {
    struct stat info {};
    if (stat(file->c_str(), &info) != 0)
      out += "none;";
    else
      out += fmt::format("{}.{}.{}.{}.{}.{:o};", info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                         info.st_mtim.tv_nsec, info.st_mode);
  }
  return out;
}

caf::expected<std::shared_ptr<tls_identity>> tls_identity::load(tls_files files) {
  std::shared_ptr<tls_identity> out(new tls_identity(std::move(files)));
  out->tried_ = out->seen_ = out->shape_of_files();
  auto first = make(out->files_);
  if (!first)
    return first.error();
  out->now_ = std::move(*first);
  return out;
}

std::shared_ptr<ssl_ctx_st> tls_identity::context() const {
  const std::lock_guard lock(mutex_);
  return now_.context;
}

std::chrono::system_clock::time_point tls_identity::ends() const {
  const std::lock_guard lock(mutex_);
  return now_.ends;
}

std::string tls_identity::pin() const {
  const std::lock_guard lock(mutex_);
  return now_.pin;
}

caf::expected<tls_identity::look_result> tls_identity::look() {
  const auto shape = shape_of_files();
  // Two files are not replaced at once: they are left alone until nobody touches them any more.
  const bool settled = std::exchange(seen_, shape) == shape;
  if (!settled || shape == tried_)
    return look_result::same;
  tried_ = shape;
  auto fresh = make(files_);
  if (!fresh)
    return fresh.error();
  const std::lock_guard lock(mutex_);
  now_ = std::move(*fresh);
  return look_result::taken;
}

} // namespace keyportal::gateway
