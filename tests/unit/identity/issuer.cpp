#include "issuer.hpp"

#include <map>
#include <stdexcept>

#include <openssl/ec.h>
#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "actors/identity/text_codes.hpp"

namespace keyportal::identity::test {

namespace {

void must(bool done) {
  if (!done)
    throw std::runtime_error("OpenSSL");
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string number_of(EVP_PKEY* key, const char* name, int size = 0) {
  BIGNUM* value = nullptr;
  must(EVP_PKEY_get_bn_param(key, name, &value) == 1);
  std::string out(static_cast<std::size_t>(size != 0 ? size : BN_num_bytes(value)), '\0');
  must(BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) >= 0);
  BN_free(value);
  return out;
}

int hex_value(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

} // namespace

signer::signer(std::string a, std::string n, unsigned bits, int number) : algorithm(std::move(a)), name(std::move(n)) {
  static std::map<std::pair<unsigned, int>, std::shared_ptr<EVP_PKEY>> rsa_keys;
  const bool rsa = algorithm == "RS256" || algorithm == "PS256";
  if (rsa && rsa_keys.contains({bits, number})) {
    key_ = rsa_keys[{bits, number}];
    return;
  }
  EVP_PKEY* made = algorithm == "ES256"   ? EVP_EC_gen("P-256")
                   : algorithm == "ES384" ? EVP_EC_gen("P-384")
                   : algorithm == "EdDSA" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                          : EVP_RSA_gen(bits);
  must(made != nullptr);
  key_ = {made, EVP_PKEY_free};
  if (rsa)
    rsa_keys[{bits, number}] = key_;
}

json signer::jwk() const {
  json out{{"kid", name}, {"use", "sig"}, {"alg", algorithm}};
  if (algorithm == "RS256" || algorithm == "PS256") {
    out["kty"] = "RSA";
    out["n"] = base64url(number_of(key_.get(), OSSL_PKEY_PARAM_RSA_N));
    out["e"] = base64url(number_of(key_.get(), OSSL_PKEY_PARAM_RSA_E));
  } else if (algorithm == "EdDSA") {
    std::string x(32, '\0');
    std::size_t size = x.size();
    must(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(x.data()), &size) == 1);
    out["kty"] = "OKP";
    out["crv"] = "Ed25519";
    out["x"] = base64url(x);
  } else {
    const int part = algorithm == "ES256" ? 32 : 48;
    out["kty"] = "EC";
    out["crv"] = algorithm == "ES256" ? "P-256" : "P-384";
    out["x"] = base64url(number_of(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, part));
    out["y"] = base64url(number_of(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, part));
  }
  return out;
}

std::string signer::sign(std::string_view text) const {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
  EVP_PKEY_CTX* options = nullptr;
  const auto* digest = algorithm == "EdDSA" ? nullptr : algorithm == "ES384" ? EVP_sha384() : EVP_sha256();
  must(EVP_DigestSignInit(context.get(), &options, digest, nullptr, key_.get()) == 1);
  if (algorithm == "PS256")
    must(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1
         && EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1);
  std::size_t size = 0;
  must(EVP_DigestSign(context.get(), nullptr, &size, bytes_of(text), text.size()) == 1);
  std::string out(size, '\0');
  must(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes_of(text), text.size())
       == 1);
  out.resize(size);
  if (!algorithm.starts_with("ES"))
    return out;
  const int part = algorithm == "ES256" ? 32 : 48;
  const auto* der = bytes_of(out);
  ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(out.size()));
  std::string raw(static_cast<std::size_t>(2 * part), '\0');
  auto* to = reinterpret_cast<unsigned char*>(raw.data());
  must(pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), to, part) == part
       && BN_bn2binpad(ECDSA_SIG_get0_s(pair), to + part, part) == part);
  ECDSA_SIG_free(pair);
  return raw;
}

std::string signer::pem() const {
  BIO* memory = BIO_new(BIO_s_mem());
  must(PEM_write_bio_PUBKEY(memory, key_.get()) == 1);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(memory, &data);
  std::string out(data, static_cast<std::size_t>(size));
  BIO_free(memory);
  return out;
}

std::string token_of(const json& head, const json& claims, const std::function<std::string(std::string_view)>& sign) {
  const auto text = base64url(head.dump()) + "." + base64url(claims.dump());
  return text + "." + base64url(sign(text));
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string out(32, '\0');
  unsigned size = 32;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text), text.size(),
       reinterpret_cast<unsigned char*>(out.data()), &size);
  return out;
}

provider_settings issuer::settings() {
  provider_settings s;
  s.name = "company";
  s.kind = "oidc";
  s.issuer = "https://id.example.com";
  s.client_id = "key portal:1"; // with what must be encoded
  s.client_secret = secret{"s3cret+/%:x"};
  return s;
}

issuer::issuer() {
  key = std::make_shared<signer>("RS256", "key-1");
  published = {key->jwk()};
  discovery = {{"issuer", "https://id.example.com"},
               {"authorization_endpoint", "https://id.example.com/authorize?theme=dark"},
               {"token_endpoint", "https://id.example.com/token"},
               {"jwks_uri", "https://keys.example.net/jwks"},
               {"response_types_supported", {"code"}}};
  head = {{"alg", key->algorithm}, {"kid", key->name}, {"typ", "JWT"}};
  const auto now = seconds_of(noon);
  claims = {{"iss", "https://id.example.com"},
            {"sub", "user-1"},
            {"aud", "key portal:1"},
            {"exp", now + 300},
            {"iat", now},
            {"name", "Ada Lovelace"},
            {"email", "Ada@Example.com"},
            {"email_verified", true}};
}

http_answer issuer::answer(const http_call& call) {
  const auto slash = call.url.find('/', call.url.find("://") + 3);
  const auto path = call.url.substr(slash);
  asked.push_back(path);
  http_answer out{200, "application/json; charset=utf-8", {}};
  if (path == "/.well-known/openid-configuration") {
    out.body = discovery.dump();
  } else if (path == "/jwks") {
    out.body = json{{"keys", published}}.dump();
  } else if (path == "/token") {
    last_token_call = call;
    auto all = claims;
    if (!all.contains("nonce"))
      all["nonce"] = nonce;
    const auto id_token = token ? token() : token_of(head, all, [&](auto text) { return key->sign(text); });
    out.body = json{{"access_token", "the-access-token"}, {"token_type", "Bearer"}, {"id_token", id_token}}.dump();
  } else if (path == "/user") {
    out.body = person.dump();
  } else {
    out.status = 404;
  }
  if (spoil)
    spoil(path, out);
  return out;
}

std::string parameter(const std::string& text, const std::string& name) {
  for (std::size_t at = 0; (at = text.find(name + "=", at)) != std::string::npos; ++at) {
    if (at != 0 && text[at - 1] != '?' && text[at - 1] != '&')
      continue;
    std::string out;
    for (auto i = at + name.size() + 1; i < text.size() && text[i] != '&'; ++i)
      if (text[i] == '%') {
        out.push_back(static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
        i += 2;
      } else {
        out.push_back(text[i]);
      }
    return out;
  }
  return {};
}

} // namespace keyportal::identity::test
