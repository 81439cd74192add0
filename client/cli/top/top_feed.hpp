// What `taskpipe top` asks of the broker: on threads of its own, so that keys are heard while the
// broker is away.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/process/mailbox.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::cli::top {

struct Listed {
  std::vector<TaskRow> rows;
};
struct LogPiece {
  std::uint64_t log = 0;  // number of the log that was opened
  std::string data;
};
struct Said {
  std::string text;
};
using Update =
    std::variant<EventBatch, HealthReply, std::vector<WorkerRow>, Listed, LogPiece, Said>;

class TopFeed {
 public:
  // Begins at once: subscribes, then lists. The client must outlive it.
  explicit TopFeed(Client& client);
  TopFeed(const TopFeed&) = delete;
  TopFeed& operator=(const TopFeed&) = delete;
  ~TopFeed();

  [[nodiscard]] process::Mailbox<Update>& updates() { return updates_; }

  // All of these return at once; what comes of them arrives as updates.
  void cancel(const TaskId& task);
  void list_again();
  // Ends the log before. Returns the number of the new one, which is followed to its end, also
  // over outages of the broker.
  std::uint64_t open_log(const TaskId& task, LogStream stream);
  void close_log();

 private:
  using Job = std::function<void()>;
  void run(const std::stop_token& stop);
  void subscribe(const CallOptions& asking);
  void refresh(const CallOptions& asking);
  void list(const CallOptions& asking);
  void add(Job job);
  void say(const ClientError& error);
  void follow_log(const TaskId& task, LogStream stream, std::uint64_t number,
                  const std::stop_token& stop);

  Client& client_;
  process::Mailbox<Update> updates_;
  std::optional<Subscription> subscription_;  // of the asking thread
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<Job> jobs_;
  std::uint64_t logs_ = 0;
  std::jthread log_thread_;
  std::jthread asking_thread_;  // last: it uses everything above
};

}  // namespace taskpipe::cli::top
