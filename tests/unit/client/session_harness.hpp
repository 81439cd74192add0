// Drives a SessionCore by hand: a clock that only moves when told, and a record of its effects.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/src/session_core.hpp"

namespace taskpipe::client::testing {

inline TaskId task_id(std::uint64_t n) { return TaskId(1, n); }

inline PreparedSpecPtr spec_of(std::string tool, std::size_t encoded_bytes = 100) {
  TaskSpec spec;
  spec.tool = std::move(tool);
  const std::size_t hash = std::hash<std::string>{}(spec.tool);
  return std::make_shared<const PreparedSpec>(
      PreparedSpec{std::make_shared<const TaskSpec>(std::move(spec)), hash, encoded_bytes, 0});
}

inline PreparedTask task(std::uint64_t n, std::size_t params_bytes = 10,
                         PreparedSpecPtr spec = spec_of("tool")) {
  return PreparedTask{task_id(n), std::move(spec), Payload(std::string(params_bytes, 'p')), {}};
}

inline std::vector<PreparedTask> tasks(std::uint64_t first, std::size_t count,
                                       std::size_t params_bytes = 10) {
  const PreparedSpecPtr spec = spec_of("tool");
  std::vector<PreparedTask> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(task(first + i, params_bytes, spec));
  return result;
}

class SessionHarness : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kHeartbeat = 2000;
  static constexpr std::uint32_t kLease = 30'000;

  SessionHarness() : core_(SessionConfig{"tcp://broker:7610", Hello{}, Millis(5000)}, 42) {}

  // --- time
  void advance(Millis by) { now_ = now_ + by; }
  // Ends the turn and keeps what came of it; earlier effects are gone.
  Effects& turn() {
    core_.end_turn(now_, out_);
    last_ = std::exchange(out_, Effects{});
    return last_;
  }
  // Moves the clock from deadline to deadline for `span`, and collects the effects of all turns.
  Effects run_for(Millis span) {
    const MonotonicTime end = now_ + span;
    Effects all;
    for (int turns = 0; turns < 10'000; ++turns) {
      Effects& one = turn();
      if (one.socket != SocketChange::keep) all.socket = one.socket;
      for (auto& send : one.sends) all.sends.push_back(std::move(send));
      for (auto& delivered : one.deliveries) all.deliveries.push_back(std::move(delivered));
      const auto next = core_.next_deadline();
      if (!next || *next > end) break;
      now_ = std::max(now_ + std::chrono::nanoseconds(1), *next);
    }
    now_ = end;
    return all;
  }

  // --- calls
  CallId begin(CallCommand command, std::optional<Millis> timeout = std::nullopt) {
    const CallId id{++last_call_};
    core_.begin(CallStart{id, std::move(command), timeout, false}, now_, out_);
    return id;
  }
  CallId submit(std::vector<PreparedTask> list, std::optional<Millis> timeout = std::nullopt) {
    return begin(command::SubmitTasks{std::move(list)}, timeout);
  }
  CallId wait(std::vector<TaskId> ids, std::optional<Millis> timeout = std::nullopt) {
    return begin(command::AwaitTasks{std::move(ids)}, timeout);
  }

  // --- the broker's side
  void receive(Message message, Correlation correlation = {}) {
    receive_in(session_, std::move(message), correlation);
  }
  void receive_in(SessionId session, Message message, Correlation correlation = {}) {
    core_.on_message(Received{session, correlation}, std::move(message), now_, out_);
  }
  Welcome welcome() const {
    Welcome w;
    w.session = session_;
    w.epoch = epoch_;
    w.heartbeat_ms = kHeartbeat;
    w.lease_ms = kLease;
    w.messages_total = credit_items_;
    w.bytes_total = credit_bytes_;
    return w;
  }
  // WHO, HELLO, WELCOME, as a new session. The effects of the turn after WELCOME are returned.
  Effects& establish() {
    receive_in(SessionId{}, Who{epoch_});
    EXPECT_EQ(sent<Hello>(turn()).size(), 1U);
    session_ = session_.next();
    receive(welcome());
    return turn();
  }
  Effects& connect() {
    begin(command::Connect{});
    EXPECT_EQ(turn().socket, SocketChange::open);
    return establish();
  }
  // Acknowledges every item of a sent message with `code`.
  void acknowledge(const Outgoing& sent, ErrorCode code = ErrorCode::ok,
                   std::optional<Error> error = std::nullopt) {
    SubmitAck ack;
    for (const auto& item : std::get<Submit>(sent.message).items) {
      ack.items.push_back(TaskCode{item.id, code});
    }
    ack.waits = std::get<Submit>(sent.message).wait && knows_wait_;
    ack.error = std::move(error);
    ack.messages_total = credit_items_;
    ack.bytes_total = credit_bytes_;
    receive(std::move(ack), sent.correlation);
  }
  static DoneTask done_task(std::uint64_t n, TaskState state = TaskState::success) {
    DoneTask done;
    done.attempt = AttemptKey{task_id(n), Epoch{1}, Attempt{1}};
    done.outcome.state = state;
    return done;
  }
  void receive_done(std::uint64_t n) {
    Done done;
    done.tasks.push_back(done_task(n));
    receive(std::move(done));
  }

  // --- looking at effects
  template <class M>
  static std::vector<Outgoing> sent(const Effects& effects) {
    std::vector<Outgoing> result;
    for (const auto& send : effects.sends) {
      if (std::holds_alternative<M>(send.message)) result.push_back(send);
    }
    return result;
  }
  template <class D>
  static std::vector<std::pair<Delivered, D>> delivered(const Effects& effects) {
    std::vector<std::pair<Delivered, D>> result;
    for (const auto& one : effects.deliveries) {
      if (const auto* what = std::get_if<D>(&one.what)) result.emplace_back(one, *what);
    }
    return result;
  }
  static std::size_t accepted_count(const Effects& effects) {
    std::size_t count = 0;
    for (const auto& [one, what] : delivered<delivery::TasksAccepted>(effects)) count += what.count;
    return count;
  }

  SessionCore core_;
  Effects out_;
  Effects last_;
  MonotonicTime now_{std::chrono::seconds(1000)};
  SessionId session_{100};
  Epoch epoch_{7};
  std::uint64_t credit_items_ = limits::kClientWindowItems;
  std::uint64_t credit_bytes_ = limits::kClientWindowBytes;
  bool knows_wait_ = true;  // the broker, of a SUBMIT
  std::uint64_t last_call_ = 0;
};

}  // namespace taskpipe::client::testing
