#include "common/security/keys.hpp"

#include <string.h>  // NOLINT: explicit_bzero
#include <zmq.h>

#include <stdexcept>

namespace taskpipe::security {
namespace {

constexpr std::size_t kZ85Chars = 40;

std::optional<KeyBytes> decode(std::string_view text) {
  if (text.size() != kZ85Chars) return std::nullopt;
  const std::string terminated(text);
  KeyBytes bytes{};
  if (::zmq_z85_decode(bytes.data(), terminated.c_str()) == nullptr) return std::nullopt;
  return bytes;
}

std::string encode(const KeyBytes& bytes) {
  std::array<char, kZ85Chars + 1> text{};
  ::zmq_z85_encode(text.data(), bytes.data(), bytes.size());
  return {text.data(), kZ85Chars};
}

}  // namespace

std::optional<PublicKey> PublicKey::from_z85(std::string_view text) {
  const auto bytes = decode(text);
  if (!bytes) return std::nullopt;
  return PublicKey(*bytes);
}

std::string PublicKey::z85() const { return encode(bytes_); }

std::string PublicKey::hex() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes_.size());
  for (const std::uint8_t byte : bytes_) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xfU];
  }
  return text;
}

SecretKey::~SecretKey() { ::explicit_bzero(bytes_.data(), bytes_.size()); }

std::optional<SecretKey> SecretKey::from_z85(std::string_view text) {
  const auto bytes = decode(text);
  if (!bytes) return std::nullopt;
  return SecretKey(*bytes);
}

std::string SecretKey::z85_for_key_file() const { return encode(bytes_); }

PublicKey SecretKey::public_key() const {
  std::string secret = encode(bytes_);
  std::array<char, kZ85Chars + 1> text{};
  const int result = ::zmq_curve_public(text.data(), secret.c_str());
  ::explicit_bzero(secret.data(), secret.size());
  const auto key = result == 0 ? PublicKey::from_z85({text.data(), kZ85Chars}) : std::nullopt;
  if (!key)
    throw std::runtime_error("this libzmq has no CURVE; install one that was built with it");
  return *key;
}

KeyPair make_key_pair() {
  std::array<char, kZ85Chars + 1> public_text{};
  std::array<char, kZ85Chars + 1> secret_text{};
  if (::zmq_curve_keypair(public_text.data(), secret_text.data()) != 0) {
    throw std::runtime_error("this libzmq has no CURVE; install one that was built with it");
  }
  const auto secret = SecretKey::from_z85({secret_text.data(), kZ85Chars});
  ::explicit_bzero(secret_text.data(), secret_text.size());
  return {*PublicKey::from_z85({public_text.data(), kZ85Chars}), *secret};
}

}  // namespace taskpipe::security
