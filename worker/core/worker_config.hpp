// What a worker is and offers: fixed for the life of the process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/limits.hpp"
#include "common/model/messages.hpp"
#include "common/model/resources.hpp"
#include "common/model/time.hpp"

namespace taskpipe::worker {

// What runs an attempt: a child process, or a C++ handler on a thread of the worker itself.
enum class AttemptKind : std::uint8_t { process, handler };

// What becomes of running attempts when the broker is gone.
enum class OnBrokerLost : std::uint8_t {
  finish,  // they go on, for WorkerConfig::broker_wait; their results wait for the broker
  stop,    // they are stopped when the lease is over: the broker gives them to others then
};

struct OfferedTool {
  ToolOffer offer;
  AttemptKind kind = AttemptKind::process;
};

struct WorkerConfig {
  PeerUuid uuid;                  // of the work folder; survives restarts
  std::uint64_t incarnation = 1;  // raised at each start on that folder
  std::string user;
  std::string name;
  std::string host;
  std::uint32_t pid = 0;

  std::uint32_t slots = 1;  // process attempts at a time
  Resources resources;      // `named` normalized
  std::vector<Label> labels;
  std::vector<OfferedTool> tools;  // names are unique

  // Unstarted work the broker may send ahead.
  std::uint64_t window_tasks = limits::kWorkerWindowTasks;
  std::uint64_t window_bytes = limits::kWorkerWindowBytes;
  // How long running attempts may go on after a request to stop; then they are stopped.
  Millis drain_timeout{0};
  OnBrokerLost on_broker_lost = OnBrokerLost::finish;
  Millis broker_wait{0};  // with `finish`; 0 = for ever
};

}  // namespace taskpipe::worker
