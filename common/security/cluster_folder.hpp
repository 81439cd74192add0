// The cluster folder: what the broker admits peers by.
//
//   broker.key, broker.key_secret   the broker's own keys; broker.key also tells the addresses
//   broker.conf                     options for taskpipe-broker --config
//   peers/<name>.key                one public certificate per peer: user and role are its metadata
//   join/<name>.join                join files to hand over; secret, and not read by the broker
//
// What the broker needs is the secret key and peers/; the rest may be taken away.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "common/security/keys.hpp"

namespace taskpipe::security {

struct PeerCertificate {
  std::string name;
  std::string user;
  Role role = Role::client;
  PublicKey key;
  friend bool operator==(const PeerCertificate&, const PeerCertificate&) = default;
};

struct ClusterPlan {
  std::filesystem::path folder;
  std::string host;  // by which peers reach the broker; empty = only from this host
  std::string user;  // of the client's join file
};
// Makes a new cluster folder with the peers admin, worker and client, and a join file for each.
// Nothing that exists is overwritten. The files that were written.
[[nodiscard]] tl::expected<std::vector<std::filesystem::path>, Error> make_cluster(
    const ClusterPlan& plan);

// Another peer of an existing folder.
struct PeerPlan {
  std::string name;
  std::string user;  // empty = the name
  Role role = Role::client;
  std::optional<PublicKey> key;  // that it has made itself; nothing: made here
  std::filesystem::path out;     // of the join file; empty = join/<name>.join
};
// Adds its certificate and writes its join file, whose path is returned.
[[nodiscard]] tl::expected<std::filesystem::path, Error> add_peer(
    const std::filesystem::path& folder, const PeerPlan& plan);

// A key pair of its own, into NAME.key and NAME.key_secret of `folder`: for a peer that sends its
// public key to the administrator.
[[nodiscard]] tl::expected<std::vector<std::filesystem::path>, Error> make_own_keys(
    const std::filesystem::path& folder, const std::string& name);

// Of a certificate file, or written out in Z85.
[[nodiscard]] tl::expected<PublicKey, Error> read_public_key(const std::string& file_or_key);

[[nodiscard]] tl::expected<KeyPair, Error> load_broker_keys(const std::filesystem::path& folder);

struct Peers {
  std::vector<PeerCertificate> admitted;  // by name
  std::vector<std::string> problems;      // a line for each file that admits nobody, and why
};
// Everything in peers/. A file that is wrong, or whose key another file has as well, admits nobody
// and harms nobody else. An Error only when the folder cannot be read.
[[nodiscard]] tl::expected<Peers, Error> load_peers(const std::filesystem::path& folder);

[[nodiscard]] std::filesystem::path peers_folder(const std::filesystem::path& folder);

}  // namespace taskpipe::security
