#include "common/security/join_file.hpp"

#include <utility>

#include "common/security/certificate.hpp"
#include "common/security/private_file.hpp"

namespace taskpipe::security {
namespace {

namespace fs = std::filesystem;

Error about(const fs::path& path, const std::string& text) {
  return Error{ErrorCode::invalid, "join file " + path.string() + ": " + text, "join", {}};
}

tl::expected<KeyPair, Error> keys_of(const fs::path& path, const Document& document,
                                     const std::string& name) {
  if (document.find("curve", "secret-key")) {
    auto keys = key_pair_of(document);
    if (!keys) return tl::unexpected(about(path, keys.error().text));
    return keys;
  }
  const fs::path beside = path.parent_path() / (name + ".key_secret");
  const auto text = read_secret_file(beside);
  if (!text) {
    return tl::unexpected(about(path, "has no secret-key, so it must be in " + beside.string() +
                                          " (as 'taskpipe "
                                          "keygen " +
                                          name + "' made it): " + text.error().text));
  }
  const auto secret = Document::parse(*text);
  if (!secret) return tl::unexpected(about(beside, secret.error().text));
  auto keys = key_pair_of(*secret);
  if (!keys) return tl::unexpected(about(beside, keys.error().text));
  const auto expected = public_key_of(document);
  if (!expected || *expected != keys->public_key) {
    return tl::unexpected(about(path, "is for other keys than those in " + beside.string()));
  }
  return keys;
}

}  // namespace

tl::expected<Join, Error> read_join_file(const fs::path& path) {
  auto text = read_secret_file(path);
  if (!text) return tl::unexpected(about(path, text.error().text));
  const auto document = Document::parse(*text);
  if (!document) return tl::unexpected(about(path, document.error().text));
  Join join;
  join.name = document->find("metadata", "name").value_or("");
  join.user = document->find("metadata", "user").value_or("");
  join.clients = document->find("broker", "clients").value_or("");
  join.workers = document->find("broker", "workers").value_or("");
  const auto role = parse_role(document->find("metadata", "role").value_or(""));
  const auto server = PublicKey::from_z85(document->find("broker", "server-key").value_or(""));
  if (!role || !server || join.clients.empty() || join.workers.empty()) {
    return tl::unexpected(about(path,
                                "does not tell role, clients, workers and server-key; is it one "
                                "that 'taskpipe keygen' or 'taskpipe-broker init' has made?"));
  }
  join.role = *role;
  join.server_key = *server;
  auto keys = keys_of(path, *document, join.name);
  if (!keys) return tl::unexpected(keys.error());
  join.keys = std::move(*keys);
  return join;
}

}  // namespace taskpipe::security
