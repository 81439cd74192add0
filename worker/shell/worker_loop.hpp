// The thread that talks to the broker: waits, feeds the core, carries out what it asks for.
//
// Nothing in here waits for a disk, a process or a handler; those have threads of their own and
// answer through the mailbox. So heartbeats keep their time whatever the tasks do.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/bulk/access.hpp"
#include "common/model/time.hpp"
#include "common/net/poll_loop.hpp"
#include "common/process/logging.hpp"
#include "common/process/signals.hpp"
#include "worker/core/worker_core.hpp"
#include "worker/handlers/handler_executor.hpp"
#include "worker/shell/broker_link.hpp"
#include "worker/shell/command_sink.hpp"
#include "worker/shell/log_reader.hpp"
#include "worker/shell/process_runner.hpp"
#include "worker/shell/spool_thread.hpp"

namespace taskpipe::worker {

// What the loop drives. All must outlive it; those that may be null are left out when the worker
// offers nothing of the kind.
struct WorkerParts {
  net::Context& context;
  CommandMailbox& commands;
  SpoolThread& spool;
  LogReader& logs;
  process::Logger& logger;
  bulk::AccessHolder* bulk_access = nullptr;  // is told of each session
  ProcessRunner* processes = nullptr;
  HandlerExecutor* handlers = nullptr;
  process::SignalFd* signals = nullptr;  // null: only commands end the loop
};

class WorkerLoop {
 public:
  WorkerLoop(WorkerConfig config, const std::string& broker_endpoint, WorkerParts parts,
             std::optional<net::CurveClient> curve = std::nullopt);
  WorkerLoop(const WorkerLoop&) = delete;
  WorkerLoop& operator=(const WorkerLoop&) = delete;

  // Returns when the core says so: after a signal, a drain, or a broker that does not want this
  // worker. `spooled` are the results that SpoolFolder::load found.
  Exit run(std::vector<ResultItem> spooled);

 private:
  void make_poller();
  [[nodiscard]] bool has_news(std::optional<std::size_t> place) const;
  void wait();
  void take_signals(const Now& now);
  void take_commands(const Now& now);
  void take_messages(const Now& now);
  void take_handler_news(const Now& now);
  void carry_out(const Now& now);
  void send_all(const Now& now);
  void open_link();
  void write_notes();

  WorkerCore core_;
  std::string broker_endpoint_;
  std::optional<net::CurveClient> curve_;
  BrokerLink link_;
  WorkerParts parts_;
  Effects effects_;

  std::optional<net::Poller> poller_;  // made anew with each socket
  struct Places {                      // in it
    std::optional<std::size_t> signals;
    std::optional<std::size_t> broker;
    std::optional<std::size_t> handshakes;
  } places_;
  std::optional<MonotonicTime> handlers_polled_;

  // Reused from turn to turn.
  std::vector<std::vector<Command>> batches_;
  std::vector<HandlerJob> jobs_;
  std::vector<ExecEvent> news_;
};

}  // namespace taskpipe::worker
