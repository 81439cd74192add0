// Who is admitted to which port: the table of keys, the ZAP handler that answers from it, and the
// thread that reads it anew when the cluster folder changes.
//
// The table is immutable; a change replaces it as a whole. So neither a handshake nor the loop ever
// waits for a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "broker/core/credential.hpp"
#include "broker/shell/audit_log.hpp"
#include "broker/shell/minute_budget.hpp"
#include "common/model/time.hpp"
#include "common/net/socket.hpp"
#include "common/net/zap_server.hpp"
#include "common/process/logging.hpp"
#include "common/process/mailbox.hpp"
#include "common/security/cluster_folder.hpp"

namespace taskpipe::broker {

// The ZAP domains: one for each port.
inline constexpr const char* kClientDomain = "clients";
inline constexpr const char* kWorkerDomain = "workers";
inline constexpr const char* kEventDomain = "events";
inline constexpr const char* kBulkDomain = "bulk";

// Whether a key of this role may connect to the port of this domain.
[[nodiscard]] bool admits(std::string_view domain, Role role);

// By public key, in hexadecimal.
using KeyTable = std::unordered_map<std::string, CredentialPtr>;
[[nodiscard]] KeyTable make_table(const security::Peers& peers);

struct KeyChange {
  std::vector<std::string> revoked;  // gone, or of another user or role than before
  bool subscribers = false;          // some of these may have subscribed to events
};
[[nodiscard]] KeyChange change_between(const KeyTable& before, const KeyTable& after);

class Authenticator {
 public:
  // Keys that were admitted are so no more. On a thread of the authenticator.
  using OnRevoked = std::function<void(KeyChange)>;

  // Make it before any socket of `context` is bound. Throws std::runtime_error, naming the remedy,
  // when the cluster folder cannot be used.
  Authenticator(net::Context& context, std::filesystem::path folder, AuditLog& audit,
                process::Logger& logger, OnRevoked on_revoked);
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;
  ~Authenticator();

  [[nodiscard]] net::CurveServer curve(const char* domain) const { return {keys_, domain}; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  // Null when the key is not admitted (any more). Any thread.
  [[nodiscard]] CredentialPtr find(const std::string& key) const;
  // Reads the folder in a moment, although it may not have changed (SIGHUP).
  void reload() { wishes_.post(Wish::reload); }

 private:
  enum class Wish : std::uint8_t { reload, stop };

  [[nodiscard]] std::shared_ptr<const KeyTable> table() const;
  bool decide(const net::ZapRequest& request);
  void write_verdict(const net::ZapRequest& request, bool admitted, const CredentialPtr& peer);
  void watch();
  void load(bool first);

  std::filesystem::path folder_;
  AuditLog& audit_;
  process::Logger& logger_;
  OnRevoked on_revoked_;
  security::KeyPair keys_;
  mutable std::mutex mutex_;  // of the pointer
  std::shared_ptr<const KeyTable> table_;
  MinuteBudget budgets_[2];  // of denials and admissions
  process::Mailbox<Wish> wishes_;
  int inotify_;
  std::thread watcher_;
  std::unique_ptr<net::ZapServer> zap_;
};

}  // namespace taskpipe::broker
