// Calls: what the threads that use a client ask of its session, in the terms of the session core.
//
// A call is one request of a user: it starts with a command, receives deliveries (delivery.hpp) and
// ends with the one that is marked `last`, or when it is forgotten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/payload.hpp"
#include "common/model/strong_id.hpp"
#include "common/model/task.hpp"
#include "common/model/workflow.hpp"

namespace taskpipe::client {

using CallId = StrongId<struct CallTag, std::uint64_t>;  // unique within one client, from 1

// A checked specification with what the batching needs to know of it, worked out once by the
// caller's thread.
struct PreparedSpec {
  TaskSpecPtr spec;               // never null
  std::size_t content_hash = 0;   // equal specs have equal hashes
  std::size_t encoded_bytes = 0;  // at most, in body and blobs
  std::size_t blobs = 0;          // blob frames of its own: 0 or 1
};
using PreparedSpecPtr = std::shared_ptr<const PreparedSpec>;

struct PreparedTask {
  TaskId id;
  PreparedSpecPtr spec;  // never null
  Payload params;
  ParamsHash params_hash;
  // By the caller, who may have submitted it before: the broker is to look into its history.
  bool id_given = false;
  // By the client, which has told it already: somebody else may submit it before it is accepted.
  bool id_told = false;
};

namespace command {

// Only wants a session.
struct Connect {};
struct SubmitTasks {
  std::vector<PreparedTask> tasks;
};
// Submits, and waits for what is accepted. Each task has an answer of its own: refused or ended.
// Without a timeout of the call a submit has `submit_timeout` to be acknowledged.
struct RunTasks {
  std::vector<PreparedTask> tasks;  // distinct ids
  Millis submit_timeout{};
};
struct UploadWorkflow {
  WorkflowId id;
  std::string name;
  OnFailure on_failure = OnFailure::run_dependents;
  std::vector<PreparedTask> tasks;
  std::vector<Dependencies> dependencies;  // one per task
};
struct AwaitTasks {
  std::vector<TaskId> ids;  // distinct
};
struct AwaitWorkflow {
  WorkflowId id;
};
// A request with one reply, which may come in several messages: Query, Cancel, Resubmit,
// ToolsRequest, WorkersRequest, HealthRequest.
struct Ask {
  Message request;
};
struct ReadLog {
  TaskId task;
  LogStream stream = LogStream::out;
  std::uint64_t offset = 0;
  bool follow = false;
};

// Changes of state from a number on, until it is forgotten.
struct Watch {
  StreamFilter filter;
  std::optional<std::uint64_t> after_seq{};  // absent = from now on
  bool only_position = false;                // one empty page, for its number
  bool progress = false;                     // of running tasks as well
};

}  // namespace command

using CallCommand =
    std::variant<command::Connect, command::SubmitTasks, command::RunTasks, command::UploadWorkflow,
                 command::AwaitTasks, command::AwaitWorkflow, command::Ask, command::ReadLog,
                 command::Watch>;

// What a call that watches has done with what it got.
struct WatchReport {
  std::size_t taken = 0;                     // deliveries, since the last report
  std::optional<std::uint64_t> after_seq{};  // everything up to here was told, by whatever way
  std::optional<Epoch> epoch{};              // in which that number was told
  bool wanted = true;                        // false: another way tells the same for now
};

}  // namespace taskpipe::client
