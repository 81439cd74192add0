// A worker in virtual time: the real core; its tools are spans of virtual time, its spool is what
// would be on its disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/simulation/tool.hpp"
#include "tests/simulation/world.hpp"
#include "worker/core/worker_core.hpp"

namespace taskpipe::simulation {

class WorkerProcess {
 public:
  WorkerProcess(World& world, NodeId node, std::uint32_t slots);

  void start();
  [[nodiscard]] bool running() const { return core_ != nullptr; }

  // --- Faults ---
  void kill();                 // its spawner takes all that ran with it
  void vanish();               // its host loses power: the broker is not told
  void retire();               // killed, and it never comes back
  void pause(Nanos duration);  // of the worker; its tools go on
  void drain();                // SIGTERM; it comes back after a while

 private:
  struct Execution {
    worker::AttemptKind kind = worker::AttemptKind::process;
    bool stopping = false;
    Life life;
  };

  void end(bool silently = false);
  void start_later();
  void receive(const Packet& packet);
  void post(worker::Command command);
  void wake_at(MonotonicTime when);
  void turn();
  void carry_out(const Now& now);
  void open_link();
  void begin(const worker::Start& start);
  void stop(const worker::Stop& stop);
  void finish(const AttemptKey& attempt, Outcome outcome);
  // The tool takes the whole process down.
  void die_of(const AttemptKey& attempt);

  World& world_;
  const NodeId node_;
  const std::uint32_t slots_;
  Random random_;
  std::uint64_t incarnation_ = 0;
  bool retired_ = false;
  std::map<AttemptKey, ResultItem> spool_;  // outlives the process

  // Of the present process.
  Life life_;
  std::unique_ptr<worker::WorkerCore> core_;
  worker::Effects effects_;
  std::vector<worker::Command> inbox_;
  std::map<AttemptKey, Execution> executions_;
  SocketId socket_ = 0;
  std::optional<MonotonicTime> wake_;
  MonotonicTime paused_until_;
};

}  // namespace taskpipe::simulation
