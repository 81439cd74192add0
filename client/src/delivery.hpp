// Deliveries and the other effects of the session core: what the I/O thread is asked to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "client/src/call.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

namespace delivery {

struct Connected {
  Welcome welcome;
};
// That many more items of the call's batch are durable.
struct TasksAccepted {
  std::size_t count = 0;
};
// Of a run also: given up, or unknown all of a sudden, after it was accepted.
struct TaskRefused {
  std::size_t index = 0;  // into SubmitTasks::tasks or RunTasks::tasks
  ClientError error;
};
struct WorkflowAccepted {};
struct TasksEnded {
  std::vector<DoneTask> tasks;
};
struct WorkflowEnded {
  DoneWorkflow workflow;
};
struct Answered {
  Message reply;
};
struct LogArrived {
  Chunk chunk;
};
// Of a watched stream: a message, and a page of the present states.
struct ChangesArrived {
  Events events;
};
struct SnapshotArrived {
  Snap snap;
  bool first = false;  // page
};
// One message of the event stream, shared by all who subscribed to it.
struct EventsArrived {
  std::shared_ptr<const EventBatch> batch;
};
// The whole call, or what is left of it, has failed. Always last. Of a run: it has not begun.
struct Failed {
  ClientError error;
};

}  // namespace delivery

using Delivery =
    std::variant<delivery::Connected, delivery::TasksAccepted, delivery::TaskRefused,
                 delivery::WorkflowAccepted, delivery::TasksEnded, delivery::WorkflowEnded,
                 delivery::Answered, delivery::LogArrived, delivery::EventsArrived,
                 delivery::ChangesArrived, delivery::SnapshotArrived, delivery::Failed>;

struct Delivered {
  CallId call;
  Delivery what;
  bool last = false;  // nothing will follow for this call
};

struct Outgoing {
  Message message;
  Correlation correlation;
  SessionId session;
  bool resend = false;  // header flag RESEND
};

enum class SocketChange : std::uint8_t {
  keep,
  open,   // close the present DEALER, if any, and connect a new one
  close,  // no connection is wanted any more
};

// To be carried out in this order: socket, sends, deliveries. Reused from turn to turn.
struct Effects {
  SocketChange socket = SocketChange::keep;
  std::vector<Outgoing> sends;
  std::vector<Delivered> deliveries;
  std::optional<Welcome> welcome;  // a new session has begun

  void clear() {
    socket = SocketChange::keep;
    sends.clear();
    deliveries.clear();
    welcome.reset();
  }
  void deliver(CallId call, Delivery what, bool last) {
    deliveries.push_back(Delivered{call, std::move(what), last});
  }
  void fail(CallId call, ClientError error) {
    deliver(call, delivery::Failed{std::move(error)}, true);
  }
};

}  // namespace taskpipe::client
