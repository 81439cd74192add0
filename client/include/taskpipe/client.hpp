/// @file
/// The client: submit tasks to a broker, wait for them, watch them, read what they wrote.
///
/// @code
/// taskpipe::Client client;                      // connects on first use
/// auto id = client.submit({.tool = "fenicsx", .script = "poisson.py", .params = {{"n", 64}}});
/// if (!id) return complain(id.error().text());  // says what is wrong and what to do
/// auto result = client.wait(*id, {.timeout = taskpipe::Millis(300'000)});
/// if (result && result->succeeded()) use(result->report);
/// @endcode
///
/// What is promised:
/// - A submit that has returned an id survives a crash of the broker and a power loss. While the
///   broker is away the client keeps what is not acknowledged and sends it again, with the same id.
/// - Nothing polls: ends of tasks and events are pushed. After a reconnect every open wait,
///   unanswered request and followed log is taken up again by itself.
/// - No call hangs without being asked to: until the first connection every call ends after
///   `ClientOptions::connect_timeout`; later each waits at most for its own timeout, also through
///   an outage of the broker. Only waits, monitors and followed logs may be without a timeout.
///
/// Threads: every method may be called from any thread at any time. The first call starts one
/// thread that owns the sockets; the first asynchronous call or subscription starts one more, on
/// which those callbacks run, one at a time. Callbacks of blocking calls run on the calling thread.
/// Callbacks may call the client; callbacks on the client's thread must not throw. Fork: a Client
/// made before a fork works in the parent only; in the child its calls fail and its destructor does
/// nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "taskpipe/client_types.hpp"
#include "taskpipe/events.hpp"

namespace taskpipe::client {
class FileTraffic;
class InputUploads;
class StreamFollower;
class TaskMonitor;
}  // namespace taskpipe::client

namespace taskpipe {

/// Pages through tasks, newest first, each once. One thread; some 50 bytes of memory for each task
/// that was told.
class TaskListing {
 public:
  TaskListing(TaskListing&&) noexcept;             ///< moves; the other one is unusable
  TaskListing& operator=(TaskListing&&) noexcept;  ///< moves, likewise
  ~TaskListing();
  /// The next task, valid until the next call; null at the end or on an error. Fetches a page
  /// (limits::kListPageRows tasks) when the last one is used up.
  [[nodiscard]] const TaskRow* next();
  /// Why `next` has ended early; nothing when it has not.
  [[nodiscard]] const std::optional<ClientError>& error() const;

 private:
  friend class Client;
  struct State;
  explicit TaskListing(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Ends its subscription when destroyed. Once the destructor has returned its callback does not run
/// any more (unless it is destroyed by that callback itself). May outlive the client.
class Subscription {
 public:
  Subscription();                                    ///< of nothing
  Subscription(Subscription&&) noexcept;             ///< moves; the other one is of nothing
  Subscription& operator=(Subscription&&) noexcept;  ///< ends this one first, then moves
  ~Subscription();

 private:
  friend class Client;
  struct State;
  explicit Subscription(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Names an asynchronous call, so that it can be given up.
using AsyncId = StrongId<struct AsyncTag, std::uint64_t>;

// --- The client ---------------------------------------------------------------------------------

/// A connection to a broker and everything that can be asked of it. See the top of the file.
class Client {
 public:
  /// Neither connects nor starts a thread, and never fails: the first call reports bad options.
  explicit Client(ClientOptions options = {});
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// As `close`.
  ~Client();

  /// Makes sure that there is a session and tells about it. Default timeout: connect_timeout.
  [[nodiscard]] CallResult<ConnectionInfo> connect(const CallOptions& options = {});

  /// Ends every call in progress with CallFailure::closed, and every later one. Takes at most
  /// `ClientOptions::linger` (for data that is on its way) plus the callback that is running.
  void close();

  // --- Submitting. Default timeout: request_timeout. -------------------------------------------
  /// Durable once returned. INVALID names the field ("tool", "params.grid[2]", …); UNSATISFIABLE:
  /// no worker could ever run it; ID_CONFLICT: `id` exists with other contents. BUSY and FLOW are
  /// tried again until the timeout.
  [[nodiscard]] CallResult<TaskId> submit(const TaskRequest& task, const CallOptions& options = {});

  /// Many at once: sent in messages of up to limits::kMaxBatchItems that share equal
  /// specifications, as far as the broker's credit reaches. Each item is accepted or refused for
  /// itself.
  [[nodiscard]] tl::expected<std::vector<TaskId>, BatchError> submit_batch(
      std::span<const TaskRequest> tasks, const CallOptions& options = {});

  /// Gets the id, or the reason, on the client's thread of callbacks.
  using SubmitCallback = std::function<void(CallResult<TaskId>)>;
  /// Returns the id at once; `done` runs once, with the id or the reason. Waits only while
  /// max_unacknowledged submits are open, and not at all when `options.stop` is requested already.
  /// Errors that are found before sending are returned, and `done` does not run then. Wait for the
  /// id only once `done` has run: before, the broker may not know it yet.
  [[nodiscard]] CallResult<TaskId> submit_async(const TaskRequest& task, SubmitCallback done,
                                                const CallOptions& options = {});

  /// All of it or nothing. CYCLE and INVALID name the task. Large ones travel in parts.
  [[nodiscard]] CallResult<WorkflowReceipt> submit_workflow(const WorkflowRequest& workflow,
                                                            const CallOptions& options = {});

  // --- Waiting. Default timeout: none. A timeout ends the wait, never the task; one of 0 asks what
  // has ended by now (not of workflows, nor asynchronously: these end before they are answered).
  /// UNKNOWN_TASK when there is no such task. At once when it has ended already.
  [[nodiscard]] CallResult<TaskResult> wait(const TaskId& id, const CallOptions& options = {});
  /// In the order of `ids`. Fails with the first unknown id.
  [[nodiscard]] CallResult<std::vector<TaskResult>> wait_all(std::span<const TaskId> ids,
                                                             const CallOptions& options = {});
  /// The first that has ended or ends.
  [[nodiscard]] CallResult<TaskResult> wait_any(std::span<const TaskId> ids,
                                                const CallOptions& options = {});
  /// How many of a workflow's tasks there were and how many succeeded, once all have ended.
  [[nodiscard]] CallResult<DoneWorkflow> wait_workflow(const WorkflowId& id,
                                                       const CallOptions& options = {});
  /// Gets the result, or the reason, on the client's thread of callbacks.
  using WaitCallback = std::function<void(CallResult<TaskResult>)>;
  /// `done` runs once, unless `forget` comes first; on a closed client before this returns.
  AsyncId wait_async(const TaskId& id, WaitCallback done, const CallOptions& options = {});
  /// The callback of that call will not start any more (it may be running). Unknown ids: no effect.
  void forget(AsyncId call);

  // --- Submitting and waiting in one. Default timeout: request_timeout until the submit is
  // acknowledged, none then; another one is that of both.
  /// The result of a new task: a message and its answer less than `submit` and `wait`. Errors are
  /// those of both. When the call ends before the task, ClientError::maybe_accepted names the task.
  [[nodiscard]] CallResult<TaskResult> run(const TaskRequest& task,
                                           const CallOptions& options = {});
  /// Many at once, each accepted, refused and ended for itself: what became of it, in the order of
  /// `tasks`. INVALID for an id that stands twice.
  [[nodiscard]] std::vector<CallResult<TaskResult>> run_batch(std::span<const TaskRequest> tasks,
                                                              const CallOptions& options = {});

  // --- Watching --------------------------------------------------------------------------------
  /// Gets each event, on the calling thread.
  using MonitorCallback = std::function<void(const TaskEvent&)>;
  /// The present state of every task, then each change and progress report, until all have ended;
  /// then returns their results in the order of `ids`. The last event of a task is always its
  /// terminal state, exactly once; progress may be thinned out. At once when all have ended.
  /// Default timeout: none. An exception of `on_event` ends the call and reaches the caller.
  [[nodiscard]] CallResult<std::vector<TaskResult>> monitor(std::span<const TaskId> ids,
                                                            const MonitorCallback& on_event,
                                                            const CallOptions& options = {});

  /// Gets each message, on the client's thread of callbacks.
  using EventCallback = std::function<void(const EventBatch&)>;
  /// The raw stream: "task.<tool>.", "progress.<tool>.", "workflow.<id>.", "worker.", "heartbeat.",
  /// "id.<hex>.". Topics match by prefix, end in "." and have at most limits::kMaxTopicBytes. It is
  /// lossy; `gap` tells. INVALID for a bad topic. Default timeout: request_timeout, to connect.
  [[nodiscard]] CallResult<Subscription> subscribe(std::span<const std::string> topics,
                                                   EventCallback on_events,
                                                   const CallOptions& options = {});

  /// Gets what has changed, on the calling thread; false ends the call.
  using FollowCallback = std::function<bool(const StreamChanges&)>;
  /// Every change of a stream, each once and in order, as taskpipe/events.hpp promises. Returns the
  /// number to go on from. INVALID: there is no such stream. Default timeout: none.
  [[nodiscard]] CallResult<std::uint64_t> follow(const FollowRequest& request,
                                                 const FollowCallback& on_changes,
                                                 const CallOptions& options = {});

  // --- Asking and cancelling. Default timeout: request_timeout. ---------------------------------
  /// The task as it is now. UNKNOWN_TASK when there is none.
  [[nodiscard]] CallResult<TaskRow> status(const TaskId& id, const CallOptions& options = {});
  /// The same of many; unknown ones are no error, but listed.
  [[nodiscard]] CallResult<TaskStatuses> status(std::span<const TaskId> ids,
                                                const CallOptions& options = {});
  /// What the task was submitted with.
  [[nodiscard]] CallResult<ValueMap> params(const TaskId& id, const CallOptions& options = {});
  /// In the order of `ids`; a question each, many at a time. Fails with an unknown one. The timeout
  /// is that of each question.
  [[nodiscard]] CallResult<std::vector<ValueMap>> params(std::span<const TaskId> ids,
                                                         const CallOptions& options = {});
  /// The task as it is now, with the attempts that did not decide its end, oldest first (at most
  /// limits::kMaxPastAttempts), and the dead letter that it repeats, if it does. UNKNOWN_TASK when
  /// there is none.
  [[nodiscard]] CallResult<TaskRow> inspect(const TaskId& id, const CallOptions& options = {});
  /// The tasks that meet every condition of `filter`. Asks nothing before the first `next`.
  [[nodiscard]] TaskListing list(QueryFilter filter = {}, const CallOptions& options = {});
  /// Of these the dead letters: tasks that have ended as failure, timeout or error, whatever their
  /// policy allowed, and that have not been submitted again.
  [[nodiscard]] TaskListing dead_letters(QueryFilter filter = {}, const CallOptions& options = {});

  /// Submits ended tasks again: each as a new task with the same specification and params. The new
  /// ids are in the order of `ids`, and durable once returned; an id that stands twice is submitted
  /// twice. Each item is accepted or refused for itself: INVALID for a task that has not ended or
  /// has succeeded, UNKNOWN_TASK, STORAGE. BUSY is tried again until the timeout.
  [[nodiscard]] tl::expected<std::vector<TaskId>, BatchError> resubmit(
      std::span<const TaskId> ids, const CallOptions& options = {});
  /// The same of one.
  [[nodiscard]] CallResult<TaskId> resubmit(const TaskId& id, const CallOptions& options = {});

  /// True when the task had not ended: it is, or soon will be, cancelled. Grace 0 = the task's own.
  [[nodiscard]] CallResult<bool> cancel(const TaskId& id, Millis grace = Millis(0),
                                        const CallOptions& options = {});
  /// Many at once; each has a code of its own, in the order of `ids`.
  [[nodiscard]] CallResult<std::vector<CancelCode>> cancel(std::span<const TaskId> ids,
                                                           Millis grace = Millis(0),
                                                           const CallOptions& options = {});
  /// All tasks of a workflow. UNKNOWN_TASK when there is no such workflow.
  [[nodiscard]] CallResult<std::vector<CancelCode>> cancel_workflow(
      const WorkflowId& id, Millis grace = Millis(0), const CallOptions& options = {});

  /// The tools that are or were offered, by name, with the scripts that connected workers have. The
  /// timeout is for each page of some hundred, as for `workers`.
  [[nodiscard]] CallResult<std::vector<ToolRow>> tools(const CallOptions& options = {});
  /// The workers that are or were connected.
  [[nodiscard]] CallResult<std::vector<WorkerRow>> workers(const CallOptions& options = {});
  /// Whether tasks are accepted and run, what is wrong, and counts.
  [[nodiscard]] CallResult<HealthReply> health(const CallOptions& options = {});

  // --- Logs -------------------------------------------------------------------------------------
  /// Gets each piece, on the calling thread.
  using LogCallback = std::function<void(const LogChunk&)>;
  /// Reads a task's output from `offset`, in order. Nothing is lost or repeated; a first chunk that
  /// starts later means that the beginning is not kept any more. A task that is tried again writes
  /// anew: chunks with a higher `attempt` begin again at offset 0. Without `follow` up to what is
  /// written now (default timeout: request_timeout, for each step); with it until the stream ends
  /// (default timeout: none). One reader per task and stream: a second one is refused with BUSY.
  [[nodiscard]] CallResult<LogEnd> fetch_log(const TaskId& id, LogStream stream,
                                             std::uint64_t offset, bool follow,
                                             const LogCallback& on_chunk,
                                             const CallOptions& options = {});

  // --- Files. Default timeout: none; each fails after request_timeout without any progress. -----
  /// Gets how much of a file is done, on the calling thread.
  using FileProgress = std::function<void(const FileTransfer&)>;
  /// The files that an ended task left, by name. Waits for its end. Without request_timeout.
  [[nodiscard]] CallResult<std::vector<Artifact>> artifacts(const TaskId& id,
                                                            const CallOptions& options = {});
  /// Writes one of them to `path`: from the report, a shared file system, or the broker's store. A
  /// download that was broken off goes on from where it was (`path`.part). The file is there under
  /// its name only once its size and hash are right. INVALID: no such artifact. UNSUPPORTED: it is
  /// nowhere but on its worker's node, and the text says why.
  [[nodiscard]] CallResult<void> fetch_artifact(const TaskResult& result, const Artifact& artifact,
                                                const std::string& path,
                                                const FileProgress& on_progress = {},
                                                const CallOptions& options = {});
  /// The same of a task's artifact by its name; returns what was fetched.
  [[nodiscard]] CallResult<Artifact> fetch_artifact(const TaskId& id, const std::string& name,
                                                    const std::string& path,
                                                    const FileProgress& on_progress = {},
                                                    const CallOptions& options = {});
  /// Fetches what a task left to files of the same names below `folder`, and returns their paths in
  /// the order of the artifacts. Waits for the task's end. `patterns`: names, or patterns such as
  /// "*.dump"; none: all. Missing folders are made. Names come from workers: INVALID for one that
  /// would leave `folder`, also through a link, and for a pattern that no artifact fits. The first
  /// failure ends the call; what is there by then stays. The timeout is for all of it.
  [[nodiscard]] CallResult<std::vector<std::string>> get_artifacts(
      const TaskId& id, const std::string& folder, const std::vector<std::string>& patterns = {},
      const FileProgress& on_progress = {}, const CallOptions& options = {});
  /// Makes sure that the broker has the files, and returns them as TaskRequest::inputs takes them.
  /// Submits do this for TaskRequest::input_files by themselves. INVALID names a file that cannot
  /// be read; STORAGE: the broker has no room.
  [[nodiscard]] CallResult<std::vector<TaskInput>> upload(std::span<const InputFile> files,
                                                          const FileProgress& on_progress = {},
                                                          const CallOptions& options = {});

 private:
  friend class TaskListing;
  friend class Subscription;
  friend class client::FileTraffic;
  friend class client::InputUploads;
  friend class client::StreamFollower;
  friend class client::TaskMonitor;
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace taskpipe
