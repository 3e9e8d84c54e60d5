// The public keys of an issuer (JWKS, RFC 7517), and whether one of them signed a text. The only file that knows how OpenSSL
// is asked for that.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

namespace keyportal::identity {

/// RS256, PS256, ES256, ES384 or EdDSA: signatures of which everybody may hold the key. Never "none" or HS….
bool is_allowed_algorithm(std::string_view name);

/// Copies share the keys. Any thread may ask.
class signing_keys {
public:
  enum class verdict { genuine, forged, no_such_key };

  /// RSA of 2048 to 8192 bits, EC on P-256 and P-384, Ed25519; what is for encryption, of another kind or broken is passed
  /// over, as the standard asks for. provider_answer_wrong for a text that is no set of keys, or of more than 100.
  static caf::expected<signing_keys> read(std::string_view json);

  /// `name` is the `kid`; where the token has none, there must be no choice of keys. A key is only used for the algorithm
  /// that it is for.
  [[nodiscard]] verdict check(std::string_view algorithm, const std::optional<std::string>& name, std::string_view text,
                              std::string_view signature) const;

  [[nodiscard]] std::size_t size() const { return keys_.size(); }

private:
  struct key;
  std::vector<std::shared_ptr<const key>> keys_;
};

} // namespace keyportal::identity
