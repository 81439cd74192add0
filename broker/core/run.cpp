// SUBMITs that wait for what they submit.
#include <algorithm>
#include <utility>

#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

constexpr Millis kAckLinger{2};  // far less than until a client sends again

void watch_late_acks(Turn& turn, Session& session) {
  session.late_timer = true;
  schedule(turn.state, session.late_since + kAckLinger, TimerKind::late_acks, session.id.value());
}

}  // namespace

void send_late(Turn& turn, Session& session, Correlation correlation, SubmitAck ack) {
  if (session.late_acks.empty()) session.late_since = turn.now.monotonic;
  session.late_acks.emplace_back(correlation, std::move(ack));
  if (!session.late_timer) watch_late_acks(turn, session);
}

void send_late_acks(Turn& turn, Session& session) {
  for (auto& [correlation, ack] : std::exchange(session.late_acks, {})) {
    turn.send(session, correlation, std::move(ack));
  }
}

void check_late_acks(Turn& turn, SessionId id) {
  Session* session = turn.state.sessions.find(id);
  if (session == nullptr) return;
  session->late_timer = false;
  if (session->late_acks.empty()) return;
  if (turn.now.monotonic < session->late_since + kAckLinger) return watch_late_acks(turn, *session);
  send_late_acks(turn, *session);
}

void wait_for_submitted(Turn& turn, Session& session, const std::vector<TaskId>& tasks,
                        const std::vector<FinishedTask>& found) {
  for (const TaskId& id : tasks) {
    const TaskSlot slot = turn.state.tasks.find(id);
    if (slot.value() != kNoSlot) {
      wait_for_task(turn, session, slot);
      continue;
    }
    const auto row = std::find_if(found.begin(), found.end(),
                                  [&id](const FinishedTask& task) { return task.id == id; });
    if (row != found.end()) tell_end(turn, session, *row);
  }
}

}  // namespace taskpipe::broker
