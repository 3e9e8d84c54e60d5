#include "tests/unit/queue/fake_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace keyportal::test {

namespace {

constexpr int longest_wait_ms = 10'000;

bool ready(int fd, short what, int wait_ms = longest_wait_ms) {
  pollfd p{fd, what, 0};
  return ::poll(&p, 1, wait_ms) == 1;
}

class plain_conversation : public conversation {
public:
  explicit plain_conversation(int fd) : fd_(fd) {}
  ~plain_conversation() override { ::close(fd_); }

protected:
  long read(char* into, std::size_t size) override { return ready(fd_, POLLIN) ? ::recv(fd_, into, size, 0) : -1; }
  long write(const char* from, std::size_t size) override {
    return ready(fd_, POLLOUT) ? ::send(fd_, from, size, MSG_NOSIGNAL) : -1;
  }

private:
  int fd_;
};

class tls_conversation : public conversation {
public:
  tls_conversation(int fd, SSL_CTX* context) : fd_(fd), ssl_(SSL_new(context)) {
    SSL_set_fd(ssl_, fd);
    usable_ = SSL_accept(ssl_) == 1;
  }
  ~tls_conversation() override {
    if (usable_)
      SSL_shutdown(ssl_);
    SSL_free(ssl_);
    ::close(fd_);
  }

protected:
  long read(char* into, std::size_t size) override {
    return usable_ ? SSL_read(ssl_, into, static_cast<int>(size)) : -1;
  }
  long write(const char* from, std::size_t size) override {
    return usable_ ? SSL_write(ssl_, from, static_cast<int>(size)) : -1;
  }

private:
  int fd_;
  SSL* ssl_;
  bool usable_ = false;
};

std::string pem_of(X509* certificate) {
  BIO* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, certificate);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(memory, &text);
  std::string out{text, static_cast<std::size_t>(size)};
  BIO_free(memory);
  return out;
}

} // namespace

struct fake_server::tls {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());

  explicit tls(const char* hosts) {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    auto* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("fake"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    auto* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, hosts);
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
  }
  ~tls() {
    SSL_CTX_free(context);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

bool conversation::fill() {
  char bytes[4096];
  const auto n = read(bytes, sizeof bytes);
  if (n <= 0)
    return false;
  received_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

bool conversation::line(std::string& into) {
  for (;;) {
    if (const auto end = received_.find("\r\n"); end != std::string::npos) {
      into = received_.substr(0, end);
      received_.erase(0, end + 2);
      return true;
    }
    if (!fill())
      return false;
  }
}

std::vector<std::string> conversation::command() {
  std::vector<std::string> words;
  std::string head;
  if (!line(head) || head.empty() || head[0] != '*')
    return words;
  for (int left = std::stoi(head.substr(1)); left > 0; --left) {
    std::string size;
    if (!line(size) || size.empty() || size[0] != '$')
      return {};
    const auto bytes = std::stoul(size.substr(1));
    while (received_.size() < bytes + 2)
      if (!fill())
        return {};
    words.push_back(received_.substr(0, bytes));
    received_.erase(0, bytes + 2);
  }
  return words;
}

void conversation::expect(const std::vector<std::string>& words) {
  if (const auto got = command(); got != words)
    throw std::runtime_error(
      fmt::format("the client says \"{}\" instead of \"{}\"", fmt::join(got, " "), fmt::join(words, " ")));
}

bool conversation::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = write(bytes.data(), bytes.size());
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool conversation::send_bytewise(std::string_view bytes) {
  for (const char c : bytes)
    if (!send({&c, 1}))
      return false;
  return true;
}

bool conversation::wait_for_end() {
  char bytes[4096];
  long n = 0;
  while ((n = read(bytes, sizeof bytes)) > 0) {}
  return n == 0;
}

bool conversation::accept_sign_in() {
  const auto words = command();
  return words.size() == 2 && words[0] == "AUTH" && send("+OK\r\n");
}

fake_server::fake_server(script what, kind how) : script_(std::move(what)) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  const bool six = how == kind::plain_v6;
  listener_ = ::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto* address = six ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  socklen_t size = six ? sizeof v6 : sizeof v4;
  if (listener_ < 0 || ::bind(listener_, address, size) != 0 || ::listen(listener_, 8) != 0
      || ::getsockname(listener_, address, &size) != 0)
    throw std::runtime_error("no listener");
  port_ = ntohs(six ? v6.sin6_port : v4.sin_port);
  if (how == kind::tls || how == kind::tls_elsewhere) {
    tls_ = std::make_unique<tls>(how == kind::tls ? "IP:127.0.0.1,DNS:localhost" : "IP:192.0.2.1,DNS:cpa.example");
    certificate_ = pem_of(tls_->certificate);
  }
  thread_ = std::thread{[this] { run(); }};
}

fake_server::~fake_server() {
  ending_ = true;
  thread_.join();
  ::close(listener_);
}

std::string fake_server::url(const std::string& host) const {
  return fmt::format("{}://{}:{}", tls_ ? "https" : "http", host, port_);
}

void fake_server::run() {
  while (!ending_) {
    if (!ready(listener_, POLLIN, 5))
      continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0)
      continue;
    ++connections_;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    timeval most{longest_wait_ms / 1000, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    std::unique_ptr<conversation> talk;
    if (tls_)
      talk = std::make_unique<tls_conversation>(fd, tls_->context);
    else
      talk = std::make_unique<plain_conversation>(fd);
    try {
      script_(*talk);
    } catch (const std::runtime_error& e) {
      fmt::print(stderr, "fake server: {}\n", e.what());
    }
  }
}

int closed_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

} // namespace keyportal::test
