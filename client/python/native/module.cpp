// taskpipe._native: what the Python package is made on. Its callers are the modules beside it.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <new>

#include "client/python/native/calls.hpp"
#include "client/python/native/errors.hpp"
#include "client/python/native/requests.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::python {
namespace nb = nanobind;
namespace {

// Owns the client, because closing must not hold the GIL.
struct ClientHandle {
  explicit ClientHandle(ClientOptions options)
      : bound(std::make_unique<BoundClient>(std::move(options))) {}
  ClientHandle(const ClientHandle&) = delete;
  ClientHandle& operator=(const ClientHandle&) = delete;
  ~ClientHandle() {
    const nb::gil_scoped_release released;
    bound.reset();
  }
  std::unique_ptr<BoundClient> bound;
};

void make_client(ClientHandle* place, const std::string& broker, const std::string& events,
                 const std::string& join, const std::string& user, const std::string& name,
                 std::int64_t connect_timeout_ms, std::int64_t request_timeout_ms,
                 std::int64_t linger_ms, std::size_t max_unacknowledged) {
  ClientOptions options;
  options.broker = broker;
  options.events = events;
  options.join = join;
  options.user = user;
  options.name = name;
  options.connect_timeout = Millis(connect_timeout_ms);
  options.request_timeout = Millis(request_timeout_ms);
  options.linger = Millis(linger_ms);
  options.max_unacknowledged = max_unacknowledged;
  new (place) ClientHandle(std::move(options));
}

void close_client(ClientHandle& self) {
  const nb::gil_scoped_release released;
  self.bound->close();
}

std::unique_ptr<BoundListing> list_tasks(ClientHandle& self, const std::string& workflow_id,
                                         const std::string& state, const std::string& tool,
                                         bool dead, TimeoutMs timeout) {
  QueryFilter filter;
  if (!workflow_id.empty()) filter.workflow = to_workflow_id(workflow_id);
  if (!state.empty()) {
    filter.state = parse_task_state(state);
    if (!filter.state) raise_invalid("state", "state '" + state + "' is none of TaskStatus");
  }
  filter.tool = tool;
  filter.dead = dead;
  return std::make_unique<BoundListing>(*self.bound, std::move(filter), timeout);
}

// The free functions of calls.hpp as methods.
template <auto Function>
struct Method;
template <class Result, class... Arguments, Result (*Function)(BoundClient&, Arguments...)>
struct Method<Function> {
  static Result call(ClientHandle& self, Arguments... arguments) {
    return Function(*self.bound, std::forward<Arguments>(arguments)...);
  }
};

void bind_client(nb::module_& module) {
  using namespace nb::literals;
  const auto timeout = nb::arg("timeout_ms") = nb::none();
  const auto stop = nb::arg("stop") = nb::none();
  nb::class_<ClientHandle>(module, "Client", nb::is_weak_referenceable())
      .def("__init__", &make_client, nb::kw_only(), "broker"_a, "events"_a, "join"_a, "user"_a,
           "name"_a, "connect_timeout_ms"_a, "request_timeout_ms"_a, "linger_ms"_a,
           "max_unacknowledged"_a)
      .def("close", &close_client)
      .def("connect", &Method<&connect>::call, timeout,
           nb::sig("def connect(self, timeout_ms: int | None = None) -> dict[str, typing.Any]"))
      .def("submit", &Method<&submit>::call, "request"_a, timeout)
      .def("submit_batch", &Method<&submit_batch>::call, "requests"_a, timeout)
      .def("resubmit", &Method<&resubmit>::call, "ids"_a, timeout)
      .def("submit_async", &Method<&submit_async>::call, "request"_a, "done"_a, timeout, stop,
           nb::sig("def submit_async(self, request: Request, done: collections.abc.Callable["
                   "[BaseException | None], object], timeout_ms: int | None = None, stop: Stop | "
                   "None = None) -> str"))
      .def("submit_workflow", &Method<&submit_workflow>::call, "name"_a, "cancel_dependents"_a,
           "requests"_a, "after"_a, timeout)
      .def("run", &Method<&run>::call, "request"_a, timeout,
           nb::sig("def run(self, request: Request, timeout_ms: int | None = None) -> dict[str, "
                   "typing.Any]"))
      .def("run_batch", &Method<&run_batch>::call, "requests"_a, timeout,
           nb::sig("def run_batch(self, requests: collections.abc.Sequence[Request], timeout_ms: "
                   "int | None = None) -> list[tuple[dict[str, typing.Any] | None, BaseException | "
                   "None]]"))
      .def("wait_all", &Method<&wait_all>::call, "ids"_a, timeout,
           nb::sig("def wait_all(self, ids: collections.abc.Sequence[str], timeout_ms: int | None "
                   "= None) -> list[dict[str, typing.Any]]"))
      .def("wait_any", &Method<&wait_any>::call, "ids"_a, timeout,
           nb::sig("def wait_any(self, ids: collections.abc.Sequence[str], timeout_ms: int | None "
                   "= None) -> dict[str, typing.Any]"))
      .def("wait_workflow", &Method<&wait_workflow>::call, "id"_a, timeout,
           nb::sig("def wait_workflow(self, id: str, timeout_ms: int | None = None) -> dict[str, "
                   "typing.Any]"))
      .def("wait_async", &Method<&wait_async>::call, "id"_a, "done"_a, timeout,
           nb::sig("def wait_async(self, id: str, done: collections.abc.Callable[[dict[str, "
                   "typing.Any] | None, BaseException | None], object], timeout_ms: int | None = "
                   "None) -> int"))
      .def("forget", &Method<&forget>::call, "call"_a)
      .def("monitor", &Method<&monitor>::call, "ids"_a, "on_event"_a, timeout, stop,
           nb::sig("def monitor(self, ids: collections.abc.Sequence[str], on_event: "
                   "collections.abc.Callable[[dict[str, typing.Any]], object], timeout_ms: int | "
                   "None = None, stop: Stop | None = None) -> list[dict[str, typing.Any]]"))
      .def("follow", &Method<&follow>::call, "stream"_a, "ids"_a, "since"_a.none(), "everybody"_a,
           "until_present"_a, "over_router"_a, "on_changes"_a, timeout, stop,
           nb::sig("def follow(self, stream: str, ids: collections.abc.Sequence[str], since: int | "
                   "None, everybody: bool, until_present: bool, over_router: bool, on_changes: "
                   "collections.abc.Callable[[dict[str, typing.Any]], object], timeout_ms: int | "
                   "None = None, stop: Stop | None = None) -> int"))
      .def("subscribe", &Method<&subscribe>::call, "topics"_a, "on_events"_a, timeout,
           nb::sig("def subscribe(self, topics: collections.abc.Sequence[str], on_events: "
                   "collections.abc.Callable[[dict[str, typing.Any]], object], timeout_ms: int | "
                   "None = None) -> Subscription"))
      .def("statuses", &Method<&statuses>::call, "ids"_a, timeout,
           nb::sig("def statuses(self, ids: collections.abc.Sequence[str], timeout_ms: int | None "
                   "= None) -> tuple[list[dict[str, typing.Any]], list[str]]"))
      .def("params", &Method<&params>::call, "ids"_a, timeout,
           nb::sig("def params(self, ids: collections.abc.Sequence[str], timeout_ms: int | None = "
                   "None) -> list[dict[str, typing.Any]]"))
      .def("inspect", &Method<&inspect>::call, "id"_a, timeout,
           nb::sig("def inspect(self, id: str, timeout_ms: int | None = None) -> dict[str, "
                   "typing.Any]"))
      .def("list_tasks", &list_tasks, "workflow_id"_a, "state"_a, "tool"_a, "dead"_a, timeout)
      .def("cancel", &Method<&cancel>::call, "ids"_a, "grace_ms"_a, timeout,
           nb::sig("def cancel(self, ids: collections.abc.Sequence[str], grace_ms: int, "
                   "timeout_ms: int | None = None) -> list[tuple[str, str, bool]]"))
      .def("cancel_workflow", &Method<&cancel_workflow>::call, "id"_a, "grace_ms"_a, timeout,
           nb::sig("def cancel_workflow(self, id: str, grace_ms: int, timeout_ms: int | None = "
                   "None) -> list[tuple[str, str, bool]]"))
      .def("tools", &Method<&tools>::call, timeout,
           nb::sig("def tools(self, timeout_ms: int | None = None) -> list[dict[str, typing.Any]]"))
      .def("workers", &Method<&workers>::call, timeout,
           nb::sig("def workers(self, timeout_ms: int | None = None) -> list[dict[str, "
                   "typing.Any]]"))
      .def("health", &Method<&health>::call, timeout,
           nb::sig("def health(self, timeout_ms: int | None = None) -> dict[str, typing.Any]"))
      .def("fetch_log", &Method<&fetch_log>::call, "id"_a, "of_stderr"_a, "offset"_a, "follow"_a,
           "on_chunk"_a, timeout, stop,
           nb::sig(
               "def fetch_log(self, id: str, of_stderr: bool, offset: int, follow: bool, "
               "on_chunk: collections.abc.Callable[[int, bytes, int], object], timeout_ms: int | "
               "None = None, stop: Stop | None = None) -> tuple[int, bool]"))
      .def("fetch_artifact", &Method<&fetch_artifact>::call, "id"_a, "name"_a, "path"_a,
           "on_progress"_a.none(), timeout,
           nb::sig("def fetch_artifact(self, id: str, name: str, path: str, on_progress: "
                   "collections.abc.Callable[[int, int], object] | None, timeout_ms: int | None = "
                   "None) -> None"));
}

void bind_request(nb::module_& module) {
  nb::class_<TaskRequest>(module, "Request")
      .def(
          "__init__",
          [](TaskRequest* place, const std::string& tool, const std::string& script,
             nb::object params, const nb::kwargs& options) {
            new (place) TaskRequest(to_request(tool, script, params, options));
          },
          nb::arg("tool"), nb::arg("script"), nb::arg("params").none(), nb::arg("options"),
          nb::sig("def __init__(self, tool: str, script: str, params: object, **options: object) "
                  "-> None"));
}

}  // namespace

NB_MODULE(_native, module) {
  // Clients that still exist when the interpreter ends have been closed by then; what they refer to
  // is no leak.
  nb::set_leak_warnings(false);
  module.attr("VERSION") = TASKPIPE_VERSION;
  module.attr("MAX_SWEEP_TASKS") = limits::kMaxSweepTasks;
  module.attr("MAX_CALL_TIMEOUT_MS") = limits::kMaxCallTimeoutMs;
  module.attr("MAX_TASK_ATTEMPTS") = limits::kMaxTaskAttempts;
  module.attr("MAX_TASK_WORKER_LOSSES") = limits::kMaxTaskWorkerLosses;
  module.attr("MAX_BACKOFF_MS") = limits::kMaxBackoffMs;
  module.attr("MAX_WAIT_MS") = limits::kMaxQueueTimeMs;
  static_assert(limits::kMaxNoProgressMs == limits::kMaxQueueTimeMs);
  module.def("await_calls", &await_calls, nb::arg("limit_ms"));
  nb::class_<Stop>(module, "Stop")
      .def(nb::init<>())
      .def("request", &Stop::request)
      .def("requested", &Stop::requested);
  nb::class_<BoundSubscription>(module, "Subscription").def("close", &BoundSubscription::close);
  nb::class_<BoundListing>(module, "Listing")
      .def("next_page", &BoundListing::next_page,
           nb::sig("def next_page(self) -> list[dict[str, typing.Any]]"));
  bind_request(module);
  bind_client(module);
}

}  // namespace taskpipe::python
