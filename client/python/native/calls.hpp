// The calls of taskpipe._native.Client. Each is entered with the GIL held, waits without it, and
// returns dicts (records.hpp) or raises (errors.hpp). Timeouts are milliseconds; none = the default
// of the call in taskpipe/client.hpp.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/python/native/attention.hpp"
#include "client/python/native/bound_client.hpp"

namespace taskpipe::python {

using TimeoutMs = std::optional<std::int64_t>;
using Texts = std::vector<std::string>;
using Requests = std::vector<const TaskRequest*>;

// --- Submitting
[[nodiscard]] std::string submit(BoundClient& bound, const TaskRequest& request, TimeoutMs timeout);
[[nodiscard]] Texts submit_batch(BoundClient& bound, const Requests& requests, TimeoutMs timeout);
// done(exception or None), once, on the client's thread of callbacks. Waits for room, unless the
// stop is requested already.
[[nodiscard]] std::string submit_async(BoundClient& bound, const TaskRequest& request,
                                       nanobind::callable done, TimeoutMs timeout,
                                       const Stop* stop);
[[nodiscard]] std::pair<std::string, Texts> submit_workflow(
    BoundClient& bound, const std::string& name, bool cancel_dependents, const Requests& requests,
    const std::vector<std::vector<std::uint32_t>>& after, TimeoutMs timeout);

// The new ids.
[[nodiscard]] Texts resubmit(BoundClient& bound, const Texts& ids, TimeoutMs timeout);

// --- Waiting and watching
[[nodiscard]] nanobind::dict run(BoundClient& bound, const TaskRequest& request, TimeoutMs timeout);
// Of each request (result, None) or (None, exception).
[[nodiscard]] nanobind::list run_batch(BoundClient& bound, const Requests& requests,
                                       TimeoutMs timeout);
[[nodiscard]] nanobind::list wait_all(BoundClient& bound, const Texts& ids, TimeoutMs timeout);
[[nodiscard]] nanobind::dict wait_any(BoundClient& bound, const Texts& ids, TimeoutMs timeout);
[[nodiscard]] nanobind::dict wait_workflow(BoundClient& bound, const std::string& id,
                                           TimeoutMs timeout);
// done(result or None, exception or None), at most once, on the client's thread of callbacks.
[[nodiscard]] std::uint64_t wait_async(BoundClient& bound, const std::string& id,
                                       nanobind::callable done, TimeoutMs timeout);
void forget(BoundClient& bound, std::uint64_t call);
// on_event(event) runs on the calling thread; what it raises ends the call.
[[nodiscard]] nanobind::list monitor(BoundClient& bound, const Texts& ids,
                                     nanobind::callable on_event, TimeoutMs timeout,
                                     const Stop* stop);

// on_changes(changes) runs on the calling thread; what it raises ends the call. The number to go on
// from.
[[nodiscard]] std::uint64_t follow(BoundClient& bound, const std::string& stream, const Texts& ids,
                                   std::optional<std::uint64_t> since, bool everybody,
                                   bool until_present, bool over_router,
                                   nanobind::callable on_changes, TimeoutMs timeout,
                                   const Stop* stop);

// --- The stream of events. Ends when dropped or closed; in a forked child it is only forgotten.
class BoundSubscription {
 public:
  BoundSubscription(Subscription subscription);
  BoundSubscription(const BoundSubscription&) = delete;
  BoundSubscription& operator=(const BoundSubscription&) = delete;
  ~BoundSubscription() { close(); }
  // Returns once its callback does not run any more.
  void close();

 private:
  pid_t process_;
  std::unique_ptr<Subscription> subscription_;
};
[[nodiscard]] std::unique_ptr<BoundSubscription> subscribe(BoundClient& bound, const Texts& topics,
                                                           nanobind::callable on_events,
                                                           TimeoutMs timeout);

// --- Asking and cancelling
[[nodiscard]] nanobind::dict connect(BoundClient& bound, TimeoutMs timeout);
// Rows in the order of `ids`, and the ids that do not exist.
[[nodiscard]] std::pair<nanobind::list, Texts> statuses(BoundClient& bound, const Texts& ids,
                                                        TimeoutMs timeout);
// The row with its attempts.
[[nodiscard]] nanobind::dict inspect(BoundClient& bound, const std::string& id, TimeoutMs timeout);
// What the tasks were submitted with.
[[nodiscard]] nanobind::list params(BoundClient& bound, const Texts& ids, TimeoutMs timeout);
// (task id, code, had not ended) each.
[[nodiscard]] nanobind::list cancel(BoundClient& bound, const Texts& ids, std::int64_t grace_ms,
                                    TimeoutMs timeout);
[[nodiscard]] nanobind::list cancel_workflow(BoundClient& bound, const std::string& id,
                                             std::int64_t grace_ms, TimeoutMs timeout);
[[nodiscard]] nanobind::list tools(BoundClient& bound, TimeoutMs timeout);
[[nodiscard]] nanobind::list workers(BoundClient& bound, TimeoutMs timeout);
[[nodiscard]] nanobind::dict health(BoundClient& bound, TimeoutMs timeout);
// on_chunk(offset, bytes) runs on the calling thread. (next offset, whether the stream has ended).
[[nodiscard]] std::pair<std::uint64_t, bool> fetch_log(BoundClient& bound, const std::string& id,
                                                       bool of_stderr, std::uint64_t offset,
                                                       bool follow, nanobind::callable on_chunk,
                                                       TimeoutMs timeout, const Stop* stop);

// Writes an artifact to `path`. on_progress(done, size), if any, runs on the calling thread.
void fetch_artifact(BoundClient& bound, const std::string& id, const std::string& name,
                    const std::string& path, std::optional<nanobind::callable> on_progress,
                    TimeoutMs timeout);

// Tasks, newest first, a page per call. One thread at a time.
class BoundListing {
 public:
  BoundListing(BoundClient& bound, QueryFilter filter, TimeoutMs timeout);
  // Empty at the end.
  [[nodiscard]] nanobind::list next_page();

 private:
  pid_t process_;
  Attention attention_;
  TaskListing listing_;
};

}  // namespace taskpipe::python
