// taskpipe events
#include <charconv>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/event_lines.hpp"
#include "client/cli/event_topics.hpp"
#include "client/cli/task_ids.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::cli {
namespace {

bool read_number(std::string_view text, std::optional<std::uint64_t>& number) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return false;
  number = value;
  return true;
}

// What prints runs on the client's thread, what waits for its end on ours.
class EventPrinter {
 public:
  EventPrinter(Invocation& call, std::uint64_t most) : call_(call), most_(most) {}

  void print(const EventBatch& batch) {
    print(event_items(batch, call_.console().style(), process::read_clock().wall));
  }

  // False once nothing more is wanted.
  bool print(const std::vector<EventItem>& items) {
    const std::lock_guard lock(mutex_);
    if (done_) return false;
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
    return !done_;
  }

  [[nodiscard]] bool closed() const { return closed_; }

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

// A stream without gaps, from a number on.
struct Replay {
  std::optional<std::uint64_t> since;
  bool follow = false;
  bool client_port_only = false;
  std::uint64_t count = 0;
  Millis timeout{0};
};

// What --topic and the ids in the arguments mean where nothing may be missed.
tl::expected<FollowRequest, ExitCode> request_of(Invocation& call,
                                                 const std::vector<std::string>& topics) {
  FollowRequest request;
  const auto info = call.client().connect(call.asking());
  if (!info) return tl::unexpected(call.fail(info.error()));
  request.everybody = info->sees_everybody();  // as the stream of events shows them
  if (!call.arguments().empty()) {
    if (!topics.empty()) {
      return tl::unexpected(
          call.usage_error("give ids or a --topic: a stream is one or the other"));
    }
    const auto ids = find_tasks(call, call.arguments());
    if (!ids) return tl::unexpected(ids.error());
    request.tasks = *ids;
    return request;
  }
  if (topics.size() > 1) {
    return tl::unexpected(call.usage_error(
        "--since goes on with one stream: give one --topic, task.TOOL, task or workflow.ID"));
  }
  const auto topic = read_topic(topics.empty() ? "task" : topics.front());
  if (!topic) return tl::unexpected(call.usage_error(topic.error()));
  const bool kept =
      topic->starts_with("task.") || (topic->starts_with("workflow.") && *topic != "workflow.");
  if (!kept) {
    return tl::unexpected(call.usage_error("--topic " + *topic +
                                           ": only changes of state are kept, under task.TOOL, "
                                           "task and workflow.ID"));
  }
  request.stream = *topic;
  return request;
}

ExitCode replay(Invocation& call, FollowRequest request, const Replay& wanted) {
  request.after_seq = wanted.since;
  request.until_present = wanted.since.has_value() && !wanted.follow;
  request.over_router = wanted.client_port_only;
  EventPrinter printer(call, wanted.count);
  const auto on_changes = [&](const StreamChanges& changes) {
    return printer.print(
        change_items(request.stream, changes, call.console().style(), process::read_clock().wall));
  };
  const auto end = call.client().follow(request, on_changes, call.waiting(wanted.timeout));
  if (printer.closed()) return ExitCode::output_closed;
  if (!end) return call.fail(end.error());
  call.console().hint("to go on from here:  taskpipe events --since " + std::to_string(*end));
  return ExitCode::success;
}

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
  std::string since;
  Replay wanted_replay;
  std::uint32_t count = 0;
  bool follow = false;
  Millis timeout{0};
  call.options().list("topic", topics, "TOPIC",
                      "Only what begins with this: task.TOOL, progress.TOOL, workflow.ID, worker, "
                      "heartbeat, id.TASK. Without it everything but heartbeats.");
  call.options().text("since", since, "SEQ",
                      "Every change of state after the one with this number (`seq` of a JSON line; "
                      "0 = from the first), without gaps; then end, or go on with --follow. One "
                      "stream: task.TOOL, task (the default), workflow.ID, or the tasks given.");
  call.options().flag("client-port-only", wanted_replay.client_port_only,
                      "Follow changes of state without gaps over the broker's client port alone: "
                      "where its event port cannot be reached.");
  call.options().integer<std::uint32_t>("count,n", count, {}, "End after this many; 0 = never.");
  call.options().flag("follow,f", follow,
                      "Go on until interrupted. So it does anyway where there is neither --count "
                      "nor --since.");
  call.options().duration("timeout,t", timeout, {},
                          "End after this time, with exit code 4. 0 = never.");
  if (const auto end = call.parse({0, kAnyNumber})) return *end;
  if (follow && count > 0) {
    return call.usage_error("--follow goes on without end and --count does not: give one of them");
  }
  if (!since.empty() || wanted_replay.client_port_only) {
    if (!since.empty() && !read_number(since, wanted_replay.since)) {
      return call.usage_error("--since '" + since + "' is no number: it is the `seq` of an event");
    }
    wanted_replay.follow = follow;
    wanted_replay.count = count;
    wanted_replay.timeout = timeout;
    auto request = request_of(call, topics);
    return request ? replay(call, std::move(*request), wanted_replay) : request.error();
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
