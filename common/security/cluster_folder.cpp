#include "common/security/cluster_folder.hpp"

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "common/security/certificate.hpp"
#include "common/security/private_file.hpp"

namespace taskpipe::security {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBroker = "broker";
constexpr std::string_view kMetadata = "metadata";
constexpr std::string_view kPublicSuffix = ".key";
constexpr std::string_view kSecretSuffix = ".key_secret";

Error invalid(std::string field, std::string text) {
  return Error{ErrorCode::invalid, std::move(text), std::move(field), {}};
}

std::optional<Error> check_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (!name.empty() && name.size() <= limits::kMaxNameBytes && name.front() != '.' &&
      std::all_of(name.begin(), name.end(), fits)) {
    return std::nullopt;
  }
  return invalid("name", "'" + name +
                             "' cannot name a key: use letters, digits, '-', '_' and '.', and do "
                             "not begin with '.'");
}

std::optional<Error> check_user(const std::string& user) {
  if (!user.empty() && user.size() <= limits::kMaxNameBytes && is_plain_value(user)) {
    return std::nullopt;
  }
  return invalid("user", "a user has 1 to 128 bytes, without quotation marks: '" + user + "'");
}

tl::expected<Document, Error> read_certificate(const fs::path& path) {
  const auto text = read_public_file(path);
  if (!text) return tl::unexpected(text.error());
  auto document = Document::parse(*text);
  if (!document)
    return tl::unexpected(invalid("keys", path.string() + ": " + document.error().text));
  return document;
}

fs::path own(const fs::path& folder, std::string_view suffix) {
  return folder / (std::string(kBroker) + std::string(suffix));
}

tl::expected<PeerCertificate, std::string> read_peer(const fs::path& path) {
  const auto document = read_certificate(path);
  if (!document) return tl::unexpected(document.error().text);
  const auto refuse = [&path](const std::string& why) {
    return tl::unexpected(path.string() + ": " + why);
  };
  const auto key = public_key_of(*document);
  if (!key) return refuse(key.error().text);
  const std::string role = document->find(kMetadata, "role").value_or("");
  const auto parsed = parse_role(role);
  if (!parsed) {
    return refuse("its role '" + role + "' is none of client, worker, observer, admin");
  }
  PeerCertificate peer;
  peer.name = path.stem().string();
  peer.user = document->find(kMetadata, "user").value_or("");
  peer.role = *parsed;
  peer.key = *key;
  if (const auto problem = check_user(peer.user)) return refuse(problem->text);
  return peer;
}

// A key in two files would have two owners: neither file counts.
void drop_ambiguous(Peers& peers) {
  std::map<PublicKey, std::vector<std::string>> names;
  for (const auto& peer : peers.admitted) names[peer.key].push_back(peer.name);
  std::erase_if(peers.admitted, [&](const PeerCertificate& peer) {
    const auto& same = names[peer.key];
    if (same.size() == 1) return false;
    const std::string& other = same[0] == peer.name ? same[1] : same[0];
    peers.problems.push_back("peers/" + peer.name + ".key: its key is that of peers/" + other +
                             ".key as well; keep one of them");
    return true;
  });
}

std::string quoted_folder(const fs::path& folder) {
  std::error_code error;
  const fs::path whole = fs::absolute(folder, error).lexically_normal();
  std::string text = whole.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

tl::expected<void, Error> write_config(const ClusterPlan& plan) {
  const std::string host = plan.host.empty() ? "127.0.0.1" : "*";
  const std::string folder = quoted_folder(plan.folder);
  const std::string text = "# Start the broker with:  taskpipe-broker --config " + folder +
                           "/broker.conf\nkeys = " + folder + "\ndata-dir = " + folder +
                           "/data\nclient-bind = tcp://" + host + ":7610\nworker-bind = tcp://" +
                           host + ":7611\nevent-bind = tcp://" + host +
                           ":7612\nbulk-bind = tcp://" + host + ":7613\n";
  return write_public_file(plan.folder / "broker.conf", text);
}

tl::expected<void, Error> write_broker_keys(const ClusterPlan& plan) {
  const KeyPair keys = make_key_pair();
  std::string host = plan.host.empty() ? "127.0.0.1" : plan.host;
  if (host.find(':') != std::string::npos && host.front() != '[') host = "[" + host + "]";
  Document shown;
  shown.set(kMetadata, "clients", "tcp://" + host + ":7610");
  shown.set(kMetadata, "workers", "tcp://" + host + ":7611");
  set_public_key(shown, keys.public_key);
  Document secret;
  secret.set(kMetadata, "name", std::string(kBroker));
  set_key_pair(secret, keys);
  if (auto done = write_secret_file(own(plan.folder, kSecretSuffix),
                                    secret.text("taskpipe: the broker's SECRET key"));
      !done) {
    return done;
  }
  return write_public_file(own(plan.folder, kPublicSuffix),
                           shown.text("taskpipe: the broker's public key"));
}

}  // namespace

fs::path peers_folder(const fs::path& folder) { return folder / "peers"; }

tl::expected<std::vector<fs::path>, Error> make_cluster(const ClusterPlan& plan) {
  if (!is_plain_value(plan.host) || plan.host.find_first_of(" /") != std::string::npos) {
    return tl::unexpected(
        invalid("host", "--host '" + plan.host + "' is no host name: give it without port"));
  }
  for (const fs::path& folder : {plan.folder, peers_folder(plan.folder), plan.folder / "join"}) {
    if (auto made = make_private_folder(folder); !made) return tl::unexpected(made.error());
  }
  if (auto done = write_broker_keys(plan); !done) return tl::unexpected(done.error());
  if (auto done = write_config(plan); !done) return tl::unexpected(done.error());
  std::vector<fs::path> written = {own(plan.folder, kSecretSuffix), own(plan.folder, kPublicSuffix),
                                   plan.folder / "broker.conf"};
  const PeerPlan peers[] = {{"admin", "admin", Role::admin, std::nullopt, {}},
                            {"worker", "worker", Role::worker, std::nullopt, {}},
                            {"client", plan.user, Role::client, std::nullopt, {}}};
  for (const PeerPlan& peer : peers) {
    auto join = add_peer(plan.folder, peer);
    if (!join) return tl::unexpected(join.error());
    written.push_back(std::move(*join));
  }
  return written;
}

tl::expected<fs::path, Error> add_peer(const fs::path& folder, const PeerPlan& plan) {
  if (const auto problem = check_name(plan.name)) return tl::unexpected(*problem);
  const std::string user = plan.user.empty() ? plan.name : plan.user;
  if (const auto problem = check_user(user)) return tl::unexpected(*problem);
  const auto broker = read_certificate(own(folder, kPublicSuffix));
  if (!broker) {
    return tl::unexpected(invalid("keys", broker.error().text + "; is " + folder.string() +
                                              " a cluster folder? 'taskpipe-broker init' makes "
                                              "one"));
  }
  const auto server_key = public_key_of(*broker);
  if (!server_key) return tl::unexpected(server_key.error());
  const auto clients = broker->find(kMetadata, "clients");
  const auto workers = broker->find(kMetadata, "workers");
  if (!clients || !workers) {
    return tl::unexpected(invalid(
        "keys", "broker.key tells no addresses: write clients and workers into its metadata"));
  }
  KeyPair keys;
  keys.public_key = plan.key ? *plan.key : PublicKey();
  if (!plan.key) keys = make_key_pair();

  Document join;
  join.set(kMetadata, "name", plan.name);
  join.set(kMetadata, "user", user);
  join.set(kMetadata, "role", std::string(name_of(plan.role)));
  join.set(kBroker, "clients", *clients);
  join.set(kBroker, "workers", *workers);
  join.set(kBroker, "server-key", server_key->z85());
  if (plan.key) {
    set_public_key(join, keys.public_key);
  } else {
    set_key_pair(join, keys);
  }
  fs::path out = plan.out;
  if (out.empty()) {
    if (auto made = make_private_folder(folder / "join"); !made) {
      return tl::unexpected(made.error());
    }
    out = folder / "join" / (plan.name + ".join");
  }
  Document admitted;
  admitted.set(kMetadata, "user", user);
  admitted.set(kMetadata, "role", std::string(name_of(plan.role)));
  set_public_key(admitted, keys.public_key);
  const fs::path certificate = peers_folder(folder) / (plan.name + std::string(kPublicSuffix));
  // The join file first: a peer that is admitted without one would stand in the way of a second
  // try.
  const std::string title = plan.key ? "taskpipe join file; its secret key is with the peer"
                                     : "taskpipe join file: SECRET, whoever has it is this peer";
  if (auto done = write_secret_file(out, join.text(title)); !done) {
    return tl::unexpected(done.error());
  }
  if (auto done = write_public_file(certificate, admitted.text("taskpipe: public key of a peer"));
      !done) {
    std::error_code ignored;
    fs::remove(out, ignored);
    return tl::unexpected(done.error());
  }
  return out;
}

tl::expected<std::vector<fs::path>, Error> make_own_keys(const fs::path& folder,
                                                         const std::string& name) {
  if (const auto problem = check_name(name)) return tl::unexpected(*problem);
  if (auto made = make_private_folder(folder); !made) return tl::unexpected(made.error());
  const KeyPair keys = make_key_pair();
  Document secret;
  secret.set(kMetadata, "name", name);
  set_key_pair(secret, keys);
  Document shown;
  shown.set(kMetadata, "name", name);
  set_public_key(shown, keys.public_key);
  std::vector<fs::path> written = {folder / (name + std::string(kPublicSuffix)),
                                   folder / (name + std::string(kSecretSuffix))};
  if (auto done = write_secret_file(written[1], secret.text("taskpipe: SECRET key")); !done) {
    return tl::unexpected(done.error());
  }
  if (auto done = write_public_file(written[0], shown.text("taskpipe: public key")); !done) {
    return tl::unexpected(done.error());
  }
  return written;
}

tl::expected<PublicKey, Error> read_public_key(const std::string& file_or_key) {
  if (const auto key = PublicKey::from_z85(file_or_key)) return *key;
  const auto document = read_certificate(file_or_key);
  if (!document) {
    return tl::unexpected(invalid("public-key", document.error().text +
                                                    "; give a certificate, or the 40 characters "
                                                    "of a public key"));
  }
  return public_key_of(*document);
}

tl::expected<KeyPair, Error> load_broker_keys(const fs::path& folder) {
  const fs::path path = own(folder, kSecretSuffix);
  const auto text = read_secret_file(path);
  if (!text) {
    return tl::unexpected(invalid("keys", text.error().text + "; 'taskpipe-broker init " +
                                              folder.string() + "' makes a cluster folder"));
  }
  const auto document = Document::parse(*text);
  if (!document) return tl::unexpected(document.error());
  auto keys = key_pair_of(*document);
  if (!keys) return tl::unexpected(invalid("keys", path.string() + ": " + keys.error().text));
  return keys;
}

tl::expected<Peers, Error> load_peers(const fs::path& folder) {
  Peers peers;
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator at(peers_folder(folder), error), end; !error && at != end;
       at.increment(error)) {
    const fs::path& path = at->path();
    // Files that are being written begin with a dot; others are nobody's business here.
    if (path.extension() == kPublicSuffix && path.filename().string().front() != '.') {
      files.push_back(path);
    }
  }
  if (error) {
    return tl::unexpected(invalid("keys", peers_folder(folder).string() + ": " + error.message()));
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    if (peers.admitted.size() >= limits::kMaxPeerKeys) {
      peers.problems.push_back(file.string() + ": more than " +
                               std::to_string(limits::kMaxPeerKeys) + " peers; the rest is left");
      break;
    }
    auto peer = read_peer(file);
    if (peer) {
      peers.admitted.push_back(std::move(*peer));
    } else {
      peers.problems.push_back(std::move(peer.error()));
    }
  }
  drop_ambiguous(peers);
  return peers;
}

}  // namespace taskpipe::security
