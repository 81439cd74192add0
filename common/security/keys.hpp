// Curve25519 keys: what a peer is known by, and what proves it.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace taskpipe::security {

inline constexpr std::size_t kKeyBytes = 32;
using KeyBytes = std::array<std::uint8_t, kKeyBytes>;

// May be shown to anybody. Files write it in Z85 (40 characters), as every ZeroMQ tool does.
class PublicKey {
 public:
  PublicKey() = default;
  explicit PublicKey(const KeyBytes& bytes) : bytes_(bytes) {}
  [[nodiscard]] static std::optional<PublicKey> from_z85(std::string_view text);

  [[nodiscard]] const KeyBytes& bytes() const { return bytes_; }
  [[nodiscard]] std::string z85() const;
  [[nodiscard]] std::string hex() const;
  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;

 private:
  KeyBytes bytes_{};
};

// Is never shown: there is no way to print it but the one that writes a key file. Wiped when it
// goes.
class SecretKey {
 public:
  SecretKey() = default;
  explicit SecretKey(const KeyBytes& bytes) : bytes_(bytes) {}
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();
  [[nodiscard]] static std::optional<SecretKey> from_z85(std::string_view text);

  [[nodiscard]] const KeyBytes& bytes() const { return bytes_; }
  [[nodiscard]] std::string z85_for_key_file() const;
  // The public key that belongs to it.
  [[nodiscard]] PublicKey public_key() const;

 private:
  KeyBytes bytes_{};
};

struct KeyPair {
  PublicKey public_key;
  SecretKey secret_key;
};

// Drawn from the system's randomness. Throws std::runtime_error where libzmq was built without
// CURVE.
[[nodiscard]] KeyPair make_key_pair();

}  // namespace taskpipe::security
