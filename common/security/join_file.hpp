// Join files: all that a worker or a client needs to take part, in one secret file.
//
//   metadata
//       name = "node1"
//       user = "ann"
//       role = "worker"
//   broker
//       clients = "tcp://sim.example.org:7610"
//       workers = "tcp://sim.example.org:7611"
//       server-key = "…"
//   curve
//       public-key = "…"
//       secret-key = "…"
//
// A zcert file with one more section. Where a peer has made its keys itself, its join file comes
// without secret-key: then NAME.key_secret in the same folder has it, and no secret ever travels.
#pragma once

#include <filesystem>
#include <string>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "common/security/keys.hpp"

namespace taskpipe::security {

struct Join {
  std::string name;
  std::string user;
  Role role = Role::client;
  std::string clients;  // endpoints
  std::string workers;
  PublicKey server_key;
  KeyPair keys;
};

// Refused, with the remedy, when others may read it, or when the keys do not belong together.
[[nodiscard]] tl::expected<Join, Error> read_join_file(const std::filesystem::path& path);

}  // namespace taskpipe::security
