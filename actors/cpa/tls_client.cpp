#include "actors/cpa/tls_client.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace keyportal::cpa {

namespace {

// OpenSSL's own way to write into a socket raises SIGPIPE when the peer has gone; this one does not.
int socket_of(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

int bio_result(BIO* bio, ssize_t n, int retry) {
  BIO_clear_retry_flags(bio);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
  return static_cast<int>(n);
}

int bio_write(BIO* bio, const char* data, int size) {
  return bio_result(bio, ::send(socket_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

int bio_read(BIO* bio, char* data, int size) {
  return bio_result(bio, ::recv(socket_of(bio), data, static_cast<std::size_t>(size), 0), BIO_FLAGS_READ);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    auto* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  return method;
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

/// The library's words for what it met last: reasons, never data.
std::string library_reason() {
  const auto code = ERR_peek_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "TLS failed" : std::string{"TLS: "} + text;
}

struct context_free {
  void operator()(SSL_CTX* c) const { SSL_CTX_free(c); }
};
struct ssl_free {
  void operator()(SSL* s) const { SSL_free(s); }
};

} // namespace

struct tls_client::impl {
  std::unique_ptr<SSL_CTX, context_free> context;
  std::unique_ptr<SSL, ssl_free> ssl;

  wants want(int result, std::string& why) {
    switch (SSL_get_error(ssl.get(), result)) {
      case SSL_ERROR_WANT_READ: return wants::to_read;
      case SSL_ERROR_WANT_WRITE: return wants::to_write;
      case SSL_ERROR_ZERO_RETURN: return wants::to_close;
      case SSL_ERROR_SYSCALL: why = "the connection broke"; return wants::to_give_up;
      default: why = library_reason(); return wants::to_give_up;
    }
  }
};

tls_client::tls_client(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
tls_client::~tls_client() = default;

std::unique_ptr<tls_client> tls_client::make(int socket, const std::string& host, const std::string& ca_file,
                                             std::string& why) {
  ERR_clear_error();
  auto made = std::make_unique<impl>();
  made->context.reset(SSL_CTX_new(TLS_client_method()));
  auto* context = made->context.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  // Go ends without a goodbye often; whether a reply was whole is known from the replies themselves.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  if ((ca_file.empty() ? SSL_CTX_set_default_verify_paths(context)
                       : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr))
      != 1) {
    why = "the certificates to trust cannot be read";
    return nullptr;
  }
  made->ssl.reset(SSL_new(context));
  auto* ssl = made->ssl.get();
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl, host.c_str());
  }
  auto* bio = BIO_new(socket_method());
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_connect_state(ssl);
  return std::unique_ptr<tls_client>{new tls_client{std::move(made)}};
}

tls_client::wants tls_client::shake_hands(std::string& why) {
  ERR_clear_error();
  const int result = SSL_do_handshake(impl_->ssl.get());
  if (result == 1)
    return wants::nothing;
  const auto wanted = impl_->want(result, why);
  if (const auto verdict = SSL_get_verify_result(impl_->ssl.get()); verdict != X509_V_OK)
    why = std::string{"its certificate is not accepted: "} + X509_verify_cert_error_string(verdict);
  return wanted == wants::to_close ? wants::to_give_up : wanted;
}

tls_client::wants tls_client::read(std::span<char> into, std::size_t& got, std::string& why) {
  got = 0;
  while (got < into.size()) { // a record holds 16 kB at most
    ERR_clear_error();
    std::size_t n = 0;
    const int result = SSL_read_ex(impl_->ssl.get(), into.data() + got, into.size() - got, &n);
    if (result != 1)
      return got > 0 ? wants::nothing : impl_->want(result, why);
    got += n;
  }
  return wants::nothing;
}

tls_client::wants tls_client::write(std::string_view bytes, std::size_t& sent, std::string& why) {
  ERR_clear_error();
  sent = 0;
  const int result = SSL_write_ex(impl_->ssl.get(), bytes.data(), bytes.size(), &sent);
  return result == 1 ? wants::nothing : impl_->want(result, why);
}

} // namespace keyportal::cpa
