#include <csignal>
#include <fstream>
#include <future>
#include <memory>
#include <stdexcept>

#include <catch2/catch_test_macros.hpp>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "actors/identity/http_caller.hpp"
#include "messages/errors.hpp"
#include "server.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace keyportal::identity;
using namespace keyportal::identity::test;

namespace {

struct freed {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
};
template <typename T>
using owned = std::unique_ptr<T, freed>;

/// A certificate for `name`, signed by itself, valid from yesterday for `days`.
struct identity_card {
  owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
  owned<X509> paper{X509_new()};

  explicit identity_card(const std::string& name, int days = 10) {
    constexpr long day = 24L * 3600;
    X509_set_version(paper.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(paper.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(paper.get()), -day);
    X509_gmtime_adj(X509_getm_notAfter(paper.get()), (days - 1) * day);
    X509_set_pubkey(paper.get(), key.get());
    auto* subject = X509_get_subject_name(paper.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(paper.get(), subject);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + name).c_str());
    X509_add_ext(paper.get(), names, -1);
    X509_EXTENSION_free(names);
    if (X509_sign(paper.get(), key.get(), EVP_sha256()) == 0)
      throw std::runtime_error("OpenSSL");
  }
  void write(const std::filesystem::path& file) const {
    std::FILE* to = std::fopen(file.c_str(), "w");
    PEM_write_X509(to, paper.get());
    std::fclose(to);
  }
};

/// Says one thing over TLS to whoever shakes hands.
class tls_server {
public:
  explicit tls_server(const identity_card& card) {
    SSL_CTX_use_certificate(context_.get(), card.paper.get());
    SSL_CTX_use_PrivateKey(context_.get(), card.key.get());
    server_ = std::make_unique<small_server>([this](int client) { serve(client); });
  }
  [[nodiscard]] std::string url() const {
    auto url = server_->url();
    return url.replace(0, std::string("http://127.0.0.1").size(), "https://localhost");
  }
  [[nodiscard]] bool was_asked() const { return asked_; }

private:
  void serve(int client) {
    const owned<SSL> tls{SSL_new(context_.get())};
    SSL_set_fd(tls.get(), client);
    char piece[4096];
    if (SSL_accept(tls.get()) != 1 || SSL_read(tls.get(), piece, sizeof piece) <= 0)
      return;
    asked_ = true;
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    SSL_write(tls.get(), text.data(), static_cast<int>(text.size()));
    SSL_shutdown(tls.get());
  }

  owned<SSL_CTX> context_{SSL_CTX_new(TLS_server_method())};
  std::atomic<bool> asked_{false};
  std::unique_ptr<small_server> server_; // the last: it uses the others
};

caf::expected<http_answer> asked(const std::string& url, const std::filesystem::path& authorities) {
  http_caller::bounds most;
  most.threads = 1;
  most.authorities = authorities;
  http_caller caller(most);
  std::promise<caf::expected<http_answer>> promise;
  caller.ask({url + "/", {}, {}, secret{"Bearer t"}}, [&](auto answer) { promise.set_value(std::move(answer)); });
  auto future = promise.get_future();
  REQUIRE(future.wait_for(std::chrono::seconds{30}) == std::future_status::ready);
  return future.get();
}

} // namespace

TEST_CASE("a provider is believed only with a valid certificate for its name from an authority that is known") {
  std::signal(SIGPIPE, SIG_IGN); // as the service does: whoever refuses the other side hangs up
  const keyportal::test::temporary_folder folder;
  const auto trusted = folder.path() / "trusted.pem";
  const identity_card right("localhost"), wrong_name("id.example.com"), expired("localhost", 0);
  {
    tls_server server(right);
    right.write(trusted);
    const auto answer = asked(server.url(), trusted);
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(server.was_asked());
  }
  const auto refused = [&](const identity_card& card, const std::filesystem::path& authorities) {
    tls_server server(card);
    const auto answer = asked(server.url(), authorities);
    REQUIRE_FALSE(answer);
    CHECK(code_of(answer.error()) == errc::provider_unreachable);
    CHECK_FALSE(server.was_asked()); // it has not seen the token
  };
  refused(right, {}); // an authority that the system does not know
  wrong_name.write(trusted);
  refused(wrong_name, trusted);
  expired.write(trusted);
  refused(expired, trusted);
}
