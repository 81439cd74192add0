#include "broker/shell/authenticator.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "common/model/limits.hpp"
#include "common/process/clock.hpp"
#include "common/security/private_file.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                   IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

// Takes what there is; true when it concerns more than files that are still being written. When one
// of these is deleted the key has got its name, by a link.
bool drain(int fd) {
  alignas(::inotify_event) std::array<char, 4096> buffer{};
  bool concerns = false;
  for (::ssize_t size = 0; (size = ::read(fd, buffer.data(), buffer.size())) > 0;) {
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      ::inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const std::string_view name(buffer.data() + at + sizeof(event), event.len);
      const bool unfinished =
          name.substr(0, security::kUnfinishedPrefix.size()) == security::kUnfinishedPrefix;
      concerns = concerns || !unfinished || (event.mask & IN_DELETE) != 0;
      at += sizeof(event) + event.len;
    }
  }
  return concerns;
}

}  // namespace

bool admits(std::string_view domain, Role role) {
  if (domain == kWorkerDomain) return role == Role::worker;
  if (domain == kClientDomain) return role != Role::worker;
  if (domain == kBulkDomain) return true;  // there a session has to show its token
  if (domain == kEventDomain) return role == Role::observer || role == Role::admin;
  return false;
}

KeyTable make_table(const security::Peers& peers) {
  KeyTable table;
  for (const auto& peer : peers.admitted) {
    std::string key = peer.key.hex();
    auto credential =
        std::make_shared<const Credential>(Credential{key, peer.name, peer.user, peer.role});
    table.emplace(std::move(key), std::move(credential));
  }
  return table;
}

KeyChange change_between(const KeyTable& before, const KeyTable& after) {
  KeyChange change;
  for (const auto& [key, credential] : before) {
    const auto found = after.find(key);
    if (found != after.end() && found->second->user == credential->user &&
        found->second->role == credential->role) {
      continue;
    }
    change.revoked.push_back(key);
    change.subscribers = change.subscribers || admits(kEventDomain, credential->role);
  }
  std::sort(change.revoked.begin(), change.revoked.end());
  return change;
}

Authenticator::Authenticator(net::Context& context, std::filesystem::path folder, AuditLog& audit,
                             process::Logger& logger, OnRevoked on_revoked)
    : folder_(std::move(folder)),
      audit_(audit),
      logger_(logger),
      on_revoked_(std::move(on_revoked)),
      table_(std::make_shared<const KeyTable>()),
      inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  auto keys = security::load_broker_keys(folder_);
  if (!keys) throw std::runtime_error("--keys: " + keys.error().text);
  keys_ = std::move(*keys);
  // Before it is read, so that no change falls between the two.
  const auto peers = security::peers_folder(folder_);
  if (inotify_ >= 0 && ::inotify_add_watch(inotify_, peers.c_str(), kChanges) < 0) {
    logger_.warning("changes of the keys are not seen by themselves; send SIGHUP after a change",
                    {{"folder", peers.string()}, {"why", std::strerror(errno)}});
  }
  load(true);
  zap_ = std::make_unique<net::ZapServer>(
      context, [this](const net::ZapRequest& request) { return decide(request); });
  watcher_ = std::thread([this] { watch(); });
}

Authenticator::~Authenticator() {
  zap_.reset();
  wishes_.post(Wish::stop);
  watcher_.join();
  if (inotify_ >= 0) ::close(inotify_);
}

std::shared_ptr<const KeyTable> Authenticator::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

CredentialPtr Authenticator::find(const std::string& key) const {
  const auto table = this->table();
  const auto found = table->find(key);
  return found == table->end() ? nullptr : found->second;
}

bool Authenticator::decide(const net::ZapRequest& request) {
  const CredentialPtr peer = find(request.key.hex());
  const bool admitted = peer && admits(request.domain, peer->role);
  write_verdict(request, admitted, peer);
  return admitted;
}

void Authenticator::write_verdict(const net::ZapRequest& request, bool admitted,
                                  const CredentialPtr& peer) {
  const auto decision = budgets_[admitted ? 1 : 0].take(process::read_clock().monotonic);
  if (decision.unwritten > 0) {
    audit_.write(admitted ? "admissions_not_written" : "denials_not_written",
                 {{"count", std::to_string(decision.unwritten)}});
  }
  if (!decision.write) return;
  const std::string why = admitted ? ""
                          : peer   ? "its role has no business on this port"
                                   : "unknown key";
  audit_.write(admitted ? "key_admitted" : "key_denied",
               {{"port", request.domain},
                {"address", request.address},
                {"key", peer ? peer->name : ""},
                {"user", peer ? peer->user : ""},
                {"role", peer ? std::string(name_of(peer->role)) : ""},
                {"public_key", request.key.z85()},
                {"why", why}});
}

void Authenticator::watch() {
  std::vector<Wish> wishes;
  std::array<::pollfd, 2> fds = {{{wishes_.fd(), POLLIN, 0}, {inotify_, POLLIN, 0}}};
  for (;;) {
    static_cast<void>(::poll(fds.data(), fds.size(), -1));
    wishes_.take(wishes);
    if (std::find(wishes.begin(), wishes.end(), Wish::stop) != wishes.end()) return;
    // A batch of files is one change.
    std::this_thread::sleep_for(std::chrono::milliseconds(limits::kKeyReloadDelayMs));
    const bool changed = inotify_ >= 0 && drain(inotify_);
    if (changed || !wishes.empty()) load(false);
  }
}

void Authenticator::load(bool first) {
  auto peers = security::load_peers(folder_);
  if (!peers && first) throw std::runtime_error("--keys: " + peers.error().text);
  if (!peers) {
    // A folder that is gone admits nobody: it fails closed.
    logger_.error("the keys cannot be read; nobody is admitted", {{"why", peers.error().text}});
    peers = security::Peers{};
  }
  for (const std::string& problem : peers->problems) {
    logger_.warning("this key file admits nobody", {{"why", problem}});
    audit_.write("key_file_refused", {{"why", problem}});
  }
  auto table = std::make_shared<const KeyTable>(make_table(*peers));
  KeyChange change = change_between(*this->table(), *table);
  for (const std::string& key : change.revoked) {
    const CredentialPtr former = find(key);
    audit_.write("key_revoked", {{"key", former->name},
                                 {"user", former->user},
                                 {"role", std::string(name_of(former->role))}});
  }
  const std::string count = std::to_string(table->size());
  {
    const std::lock_guard lock(mutex_);
    table_ = std::move(table);
  }
  audit_.write(first ? "keys_loaded" : "keys_reloaded",
               {{"peers", count}, {"revoked", std::to_string(change.revoked.size())}});
  logger_.info(first ? "keys loaded" : "keys reloaded",
               {{"peers", count}, {"revoked", std::to_string(change.revoked.size())}});
  if (!change.revoked.empty()) on_revoked_(std::move(change));
}

}  // namespace taskpipe::broker
