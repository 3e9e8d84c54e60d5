#include "actors/identity/signing_keys.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "actors/identity/text_codes.hpp"
#include "messages/errors.hpp"

namespace keyportal::identity {

namespace {

using nlohmann::json;

template <auto Free>
struct freed {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};
using public_key = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using key_context = std::unique_ptr<EVP_PKEY_CTX, freed<EVP_PKEY_CTX_free>>;
using digest_context = std::unique_ptr<EVP_MD_CTX, freed<EVP_MD_CTX_free>>;
using param_builder = std::unique_ptr<OSSL_PARAM_BLD, freed<OSSL_PARAM_BLD_free>>;
using param_list = std::unique_ptr<OSSL_PARAM, freed<OSSL_PARAM_free>>;
using number = std::unique_ptr<BIGNUM, freed<BN_free>>;
using ecdsa_pair = std::unique_ptr<ECDSA_SIG, freed<ECDSA_SIG_free>>;

enum class kind { rsa, p256, p384, ed25519 };

struct algorithm_row {
  std::string_view name;
  kind key;
  bool padded_at_random; ///< PSS
  std::size_t part;      ///< bytes of each half of an ECDSA signature
};
constexpr algorithm_row algorithms[] = {
  {"RS256", kind::rsa, false, 0},   {"PS256", kind::rsa, true, 0},      {"ES256", kind::p256, false, 32},
  {"ES384", kind::p384, false, 48}, {"EdDSA", kind::ed25519, false, 0},
};
const algorithm_row* row_named(std::string_view name) {
  const auto found =
    std::find_if(std::begin(algorithms), std::end(algorithms), [&](const auto& r) { return r.name == name; });
  return found == std::end(algorithms) ? nullptr : found;
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string text_at(const json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string{};
}
std::string bytes_at(const json& from, const char* name) { return from_base64url(text_at(from, name)).value_or(""); }

public_key made(const char* type, OSSL_PARAM_BLD* parts) {
  EVP_PKEY* key = nullptr;
  const param_list list{OSSL_PARAM_BLD_to_param(parts)};
  const key_context context{EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)};
  if (!list || !context || EVP_PKEY_fromdata_init(context.get()) != 1
      || EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, list.get()) != 1)
    return {};
  return public_key{key};
}

public_key rsa_key(const json& from) {
  const auto n = bytes_at(from, "n"), e = bytes_at(from, "e");
  if (n.size() > 1024 || e.empty() || e.size() > 8)
    return {};
  const number modulus{BN_bin2bn(bytes_of(n), static_cast<int>(n.size()), nullptr)};
  const number exponent{BN_bin2bn(bytes_of(e), static_cast<int>(e.size()), nullptr)};
  const param_builder parts{OSSL_PARAM_BLD_new()};
  if (!modulus || !exponent || !parts || BN_num_bits(modulus.get()) < 2048 || BN_is_odd(modulus.get()) == 0
      || BN_is_odd(exponent.get()) == 0 || BN_is_one(exponent.get()) == 1
      || OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1
      || OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
    return {};
  return made("RSA", parts.get());
}

public_key curve_key(const json& from, const char* group, std::size_t part) {
  const auto x = bytes_at(from, "x"), y = bytes_at(from, "y");
  const auto point = "\x04" + x + y;
  const param_builder parts{OSSL_PARAM_BLD_new()};
  if (x.size() != part || y.size() != part || !parts
      || OSSL_PARAM_BLD_push_utf8_string(parts.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, 0) != 1
      || OSSL_PARAM_BLD_push_octet_string(parts.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
    return {};
  auto key = made("EC", parts.get());
  const key_context context{key ? EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr) : nullptr};
  if (!context || EVP_PKEY_public_check(context.get()) != 1) // a point beside the curve gives its forgers an easy one
    return {};
  return key;
}

public_key edwards_key(const json& from) {
  const auto x = bytes_at(from, "x");
  return public_key{x.size() == 32 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size())
                                   : nullptr};
}

/// r and s one behind the other, as tokens have them, in the form that OpenSSL takes; empty when that cannot be.
std::string der_of(std::string_view pair, std::size_t part) {
  const ecdsa_pair both{ECDSA_SIG_new()};
  number r{BN_bin2bn(bytes_of(pair), static_cast<int>(part), nullptr)};
  number s{BN_bin2bn(bytes_of(pair.substr(part)), static_cast<int>(part), nullptr)};
  if (!both || !r || !s || ECDSA_SIG_set0(both.get(), r.get(), s.get()) != 1)
    return {};
  (void)r.release();
  (void)s.release();
  std::string out(160, '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  const int size = i2d_ECDSA_SIG(both.get(), nullptr);
  if (size <= 0 || static_cast<std::size_t>(size) > out.size() || i2d_ECDSA_SIG(both.get(), &to) != size)
    return {};
  out.resize(static_cast<std::size_t>(size));
  return out;
}

bool is_genuine(EVP_PKEY* key, const algorithm_row& row, std::string_view text, std::string_view signature) {
  std::string der;
  if (row.part != 0) {
    if (signature.size() != 2 * row.part)
      return false;
    der = der_of(signature, row.part);
    signature = der;
  }
  const auto* digest = row.key == kind::ed25519 ? nullptr : row.key == kind::p384 ? EVP_sha384() : EVP_sha256();
  const digest_context context{EVP_MD_CTX_new()};
  EVP_PKEY_CTX* options = nullptr;
  if (!context || signature.empty() || EVP_DigestVerifyInit(context.get(), &options, digest, nullptr, key) != 1)
    return false;
  if (row.padded_at_random
      && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1
          || EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1))
    return false;
  return EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
}

} // namespace

struct signing_keys::key {
  kind what;
  std::string name;      ///< kid
  std::string algorithm; ///< that it is only for; empty: not said
  public_key openssl;
};

bool is_allowed_algorithm(std::string_view name) { return row_named(name) != nullptr; }

caf::expected<signing_keys> signing_keys::read(std::string_view text) {
  const auto document = json::parse(text, nullptr, false);
  const auto list = document.is_object() ? document.find("keys") : document.end();
  if (!document.is_object() || list == document.end() || !list->is_array() || list->size() > 100)
    return make_error(errc::provider_answer_wrong, "its signing keys");
  signing_keys out;
  for (const auto& one : *list) {
    if (!one.is_object())
      continue;
    const auto use = text_at(one, "use"), type = text_at(one, "kty"), curve = text_at(one, "crv");
    if (!use.empty() && use != "sig")
      continue;
    key made_of{kind::rsa, text_at(one, "kid"), text_at(one, "alg"), {}};
    if (type == "RSA") {
      made_of.openssl = rsa_key(one);
    } else if (type == "EC" && curve == "P-256") {
      made_of.what = kind::p256;
      made_of.openssl = curve_key(one, "P-256", 32);
    } else if (type == "EC" && curve == "P-384") {
      made_of.what = kind::p384;
      made_of.openssl = curve_key(one, "P-384", 48);
    } else if (type == "OKP" && curve == "Ed25519") {
      made_of.what = kind::ed25519;
      made_of.openssl = edwards_key(one);
    }
    if (made_of.openssl)
      out.keys_.push_back(std::make_shared<const key>(std::move(made_of)));
  }
  return out;
}

signing_keys::verdict signing_keys::check(std::string_view algorithm, const std::optional<std::string>& name,
                                          std::string_view text, std::string_view signature) const {
  const auto* row = row_named(algorithm);
  if (!row)
    return verdict::forged;
  std::vector<const key*> fitting;
  for (const auto& one : keys_)
    if (one->what == row->key && (one->algorithm.empty() || one->algorithm == algorithm)
        && (!name || *name == one->name))
      fitting.push_back(one.get());
  if (fitting.empty() || (!name && fitting.size() > 1))
    return verdict::no_such_key;
  for (const auto* one : fitting) // of one name there is more than one only where an issuer is careless
    if (is_genuine(one->openssl.get(), *row, text, signature))
      return verdict::genuine;
  return verdict::forged;
}

} // namespace keyportal::identity
