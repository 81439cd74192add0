// What the operator decides about the core.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/core/session_token.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::broker {

// What the operator decides; defaults are the design's.
struct BrokerConfig {
  std::uint32_t heartbeat_ms = limits::kHeartbeatMs;
  std::uint32_t lease_ms = limits::kLeaseMs;
  std::uint32_t max_worker_losses = limits::kMaxWorkerLosses;
  // What a worker holds unstarted is recalled for an idle one when it would take this much longer.
  std::uint64_t recall_wait_us = limits::kMinRecallWaitUs;
  // From there on submits are answered BUSY; 0 = no bound. In bytes, as MemoryLedger counts them.
  std::uint64_t memory_limit_bytes = 0;
  std::uint64_t event_retention_bytes = limits::kEventRetentionBytes;  // of changes, in memory
  bool keys = false;           // peers have keys: each message comes from somebody, who has a role
  std::string version;         // shown by HEALTH
  std::string event_endpoint;  // announced in WELCOME; empty = the default port
  std::string bulk_endpoint;   // likewise; empty = there is no bulk port
  TokenSecret token_secret;    // drawn at the start; tokens of sessions are made from it
  std::vector<std::string> warnings;  // shown by HEALTH ("insecure bind", …)
};

}  // namespace taskpipe::broker
