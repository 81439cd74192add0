// taskpipe events
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/event_lines.hpp"
#include "client/cli/event_topics.hpp"
#include "client/cli/task_ids.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::cli {
namespace {

// What prints runs on the client's thread, what waits for its end on ours.
class EventPrinter {
 public:
  EventPrinter(Invocation& call, std::uint64_t most) : call_(call), most_(most) {}

  void print(const EventBatch& batch) {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    const auto items = event_items(batch, call_.console().style(), process::read_clock().wall);
    for (const EventItem& item : items) {
      if (call_.json()) {
        call_.print(item.document);
      } else {
        call_.out() << item.line << '\n';
      }
      if (item.counts && ++printed_ == most_) done_ = true;
      if (done_) break;
    }
    call_.out() << std::flush;
    if (!call_.out().good()) closed_ = done_ = true;
    if (done_) changed_.notify_all();
  }

  // Until enough was printed, nobody reads any more, or `stop` or `timeout` (0 = none).
  ExitCode wait(const std::stop_token& stop, Millis timeout) {
    std::unique_lock lock(mutex_);
    const auto done = [this] { return done_; };
    if (timeout > Millis::zero()) {
      changed_.wait_for(lock, stop, timeout, done);
    } else {
      changed_.wait(lock, stop, done);
    }
    if (closed_) return ExitCode::output_closed;
    if (done_) return ExitCode::success;
    done_ = true;  // nothing is printed any more
    return stop.stop_requested() ? ExitCode::interrupted : ExitCode::timed_out;
  }

 private:
  Invocation& call_;
  std::uint64_t most_;  // 0 = without end
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t printed_ = 0;
  bool done_ = false;
  bool closed_ = false;
};

// The topics that the options and the task ids in the arguments mean.
tl::expected<std::vector<std::string>, ExitCode> topics_of(Invocation& call,
                                                           std::vector<std::string> topics) {
  for (std::string& topic : topics) {
    auto read = read_topic(topic);
    if (!read) return tl::unexpected(call.usage_error(read.error()));
    topic = std::move(*read);
  }
  if (!call.arguments().empty()) {
    const auto ids = find_tasks(call, call.arguments());
    if (!ids) return tl::unexpected(ids.error());
    const auto statuses = call.client().status(*ids, call.asking());
    if (!statuses) return tl::unexpected(call.fail(statuses.error()));
    if (!statuses->unknown.empty()) {
      return tl::unexpected(
          call.fail(ClientError{CallFailure::refused, no_such_tasks(statuses->unknown), {}}));
    }
    for (const TaskId& id : *ids) topics.push_back("id." + id.to_string() + ".");
  }
  if (topics.empty()) topics = {"task.", "progress.", "workflow.", "worker."};
  return topics;
}

}  // namespace

ExitCode run_events(Invocation& call) {
  std::vector<std::string> topics;
  std::uint32_t count = 0;
  bool follow = false;
  Millis timeout{0};
  call.options().list("topic", topics, "TOPIC",
                      "Only what begins with this: task.TOOL, progress.TOOL, workflow.ID, worker, "
                      "heartbeat, id.TASK. Without it everything but heartbeats.");
  call.options().integer<std::uint32_t>("count,n", count, {}, "End after this many; 0 = never.");
  call.options().flag("follow,f", follow,
                      "Go on until interrupted. So it does anyway where there is no --count.");
  call.options().duration("timeout,t", timeout, {},
                          "End after this time, with exit code 4. 0 = never.");
  if (const auto end = call.parse({0, kAnyNumber})) return *end;
  if (follow && count > 0) {
    return call.usage_error("--follow goes on without end and --count does not: give one of them");
  }
  const auto wanted = topics_of(call, std::move(topics));
  if (!wanted) return wanted.error();

  EventPrinter printer(call, count);
  const auto subscription = call.client().subscribe(
      *wanted, [&printer](const EventBatch& batch) { printer.print(batch); }, call.asking());
  if (!subscription) return call.fail(subscription.error());
  call.console().hint("events from here on; Ctrl-C ends");
  return printer.wait(call.asking().stop, timeout);
}

}  // namespace taskpipe::cli
