// Who a peer is, as its key proves: the shell's finding, made before a message reaches the core.
#pragma once

#include <memory>
#include <string>

#include "common/model/messages.hpp"

namespace taskpipe::broker {

struct Credential {
  std::string key;   // public, in hexadecimal
  std::string name;  // of its certificate
  std::string user;
  Role role = Role::client;
  friend bool operator==(const Credential&, const Credential&) = default;
};
// Null: the broker has no keys, or the key is not admitted (any more).
using CredentialPtr = std::shared_ptr<const Credential>;

}  // namespace taskpipe::broker
