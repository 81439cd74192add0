// How a peer reaches the bulk port: what its session's WELCOME has told.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "common/model/ids.hpp"
#include "common/net/socket.hpp"

namespace taskpipe::bulk {

struct Access {
  std::string endpoint;
  SessionId session;
  BulkToken token;
  std::optional<net::CurveClient> curve{};  // with keys
};

// An announced endpoint with a wildcard host replaced by that of `broker`, the endpoint of the
// session. Empty: there is no such port, or nobody can say where.
[[nodiscard]] std::string reachable(const std::string& announced, const std::string& broker);

// The newest access, handed from the thread that has the session to those that transfer files.
class AccessHolder {
 public:
  void set(std::optional<Access> access) {
    const std::lock_guard lock(mutex_);
    access_ = std::move(access);
  }
  [[nodiscard]] std::optional<Access> get() const {
    const std::lock_guard lock(mutex_);
    return access_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Access> access_;
};

}  // namespace taskpipe::bulk
