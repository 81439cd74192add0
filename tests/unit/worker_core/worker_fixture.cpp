#include "tests/unit/worker_core/worker_fixture.hpp"

#include <memory>
#include <sstream>
#include <utility>

namespace taskpipe::worker::testing {
namespace {

std::string text_of(const AttemptKey& key) {
  return "t" + std::to_string(key.task.low()) + "." + std::to_string(key.attempt.value());
}

std::string list(const std::vector<AttemptKey>& keys) {
  std::string text = "[";
  for (const AttemptKey& key : keys) text += (text.size() > 1 ? " " : "") + text_of(key);
  return text + "]";
}

struct Describe {
  std::string operator()(const Hello& m) const {
    return "HELLO running=" + list(m.worker->running) +
           " unacknowledged=" + list(m.worker->unacknowledged) +
           (m.last_epoch ? " last_epoch=" + std::to_string(m.last_epoch->value()) : "");
  }
  std::string operator()(const Ping&) const { return "PING"; }
  std::string operator()(const Bye& m) const { return "BYE " + m.reason; }
  std::string operator()(const Credit& m) const {
    return "CREDIT " + std::to_string(m.slots_total) + " " + std::to_string(m.bytes_total);
  }
  std::string operator()(const TasksAck& m) const {
    std::string text = "TASKS_ACK";
    for (const auto& r : m.refused) {
      text +=
          " " + text_of(r.attempt) + ":" + std::string(name_of(r.error.code)) + ":" + r.error.field;
    }
    return text;
  }
  std::string operator()(const Returned& m) const { return "RETURNED " + list(m.attempts); }
  std::string operator()(const Started& m) const {
    std::string text = "STARTED";
    for (const auto& s : m.items) text += " " + text_of(s.attempt) + ":" + std::to_string(s.pid);
    return text;
  }
  std::string operator()(const Progress& m) const {
    std::ostringstream text;
    text << "PROGRESS";
    for (const auto& p : m.items) {
      text << " " << text_of(p.attempt) << ":" << p.percent << ":" << p.message;
    }
    return text.str();
  }
  std::string operator()(const Log& m) const {
    std::string text = "LOG";
    for (const auto& l : m.items) {
      text += " " + text_of(l.attempt) + "@" + std::to_string(l.offset) + "+" +
              std::to_string(l.data.size());
    }
    return text;
  }
  std::string operator()(const Result& m) const {
    std::string text = "RESULT";
    for (const auto& r : m.items) {
      text += " " + text_of(r.attempt) + ":" + std::string(name_of(r.outcome.state));
    }
    return text;
  }
  std::string operator()(const Drained& m) const {
    return std::string("DRAINED ") + (m.finished ? "finished" : "begun");
  }
  template <class Other>
  std::string operator()(const Other&) const {
    return "OTHER";
  }
};

}  // namespace

AttemptKey key(std::uint64_t number, std::uint32_t attempt) {
  return {TaskId(1, number), Epoch(3), Attempt(attempt)};
}

TaskSpecPtr spec(std::string tool, std::uint32_t cpus, std::int32_t priority) {
  TaskSpec made;
  made.tool = std::move(tool);
  made.priority = priority;
  made.resources.cpus = cpus;
  return std::make_shared<const TaskSpec>(std::move(made));
}

Outcome success() {
  Outcome outcome;
  outcome.state = TaskState::success;
  return outcome;
}

WorkerConfig test_config() {
  WorkerConfig config;
  config.uuid = PeerUuid(5, 6);
  config.incarnation = 9;
  config.user = "ada";
  config.name = "node1";
  config.host = "host1";
  config.pid = 4242;
  config.slots = 4;
  config.resources = {4, 1, 1ULL << 30U, {{"license", 2}}};
  config.drain_timeout = Millis{60'000};
  config.tools.push_back({{"shell", "1", "", {}, true, false}, AttemptKind::process});
  config.tools.push_back(
      {{"solver", "1", "", {{"cavity", std::string(64, '0')}}, false, true}, AttemptKind::process});
  config.tools.push_back({{"noop", "1", "", {}, false, false}, AttemptKind::handler});
  config.tools.push_back({{"heavy", "1", "", {}, false, false}, AttemptKind::handler});
  return config;
}

std::string describe(const Effects& effects) {
  std::string text;
  const auto line = [&text](const std::string& what) { text += what + "\n"; };
  for (const auto& e : effects.stores) line("store " + text_of(e.result.attempt));
  for (const auto& e : effects.drops) line("drop " + text_of(e.attempt));
  for (const auto& e : effects.stops) {
    line("stop " + text_of(e.attempt) +
         (e.cause == StopCause::cancelled ? " cancelled " : " superseded ") +
         std::to_string(e.grace.count()));
  }
  for (const auto& e : effects.starts) line("start " + text_of(e.attempt) + " " + e.spec->tool);
  for (const auto& e : effects.sends) {
    line("s" + std::to_string(e.session.value()) + (e.resend ? " resend " : " ") +
         std::visit(Describe{}, e.message));
  }
  if (effects.reset_link) line("reset link");
  if (effects.exit) line("exit: " + effects.exit->reason);
  return text;
}

std::vector<AttemptKey> started_keys(const Effects& effects) {
  std::vector<AttemptKey> keys;
  for (const auto& start : effects.starts) keys.push_back(start.attempt);
  return keys;
}

CoreOnDesk::CoreOnDesk(WorkerConfig config) : core_(std::move(config)) {}

void CoreOnDesk::apply(const Command& command) {
  core_.apply(command, now_, effects_);
  core_.check_invariants();
}

void CoreOnDesk::receive(Message message, Correlation correlation) {
  receive_as(session_, std::move(message), correlation);
}

void CoreOnDesk::receive_as(SessionId session, Message message, Correlation correlation) {
  apply(command::MessageReceived{session, correlation, std::move(message)});
}

Effects CoreOnDesk::end_turn() {
  apply(command::TurnEnded{});
  return std::exchange(effects_, Effects{});
}

void CoreOnDesk::establish(std::uint64_t session, std::uint64_t epoch) {
  apply(command::SpoolLoaded{});
  EXPECT_TRUE(end_turn().reset_link);
  (void)reconnect(session, epoch);
  (void)end_turn();
}

Hello CoreOnDesk::reconnect(std::uint64_t session, std::uint64_t epoch) {
  advance(Millis{limits::kHelloIntervalMs});
  receive_as(SessionId{}, Who{Epoch(epoch)});
  const Effects effects = end_turn();
  const auto hellos = sent<Hello>(effects);
  EXPECT_EQ(hellos.size(), 1U);
  if (hellos.empty()) return {};
  Correlation correlation;
  for (const Send& send : effects.sends) {
    if (std::holds_alternative<Hello>(send.message)) correlation = send.correlation;
  }
  session_ = SessionId(session);
  tasks_messages_ = 0;
  Welcome welcome;
  welcome.session = session_;
  welcome.epoch = Epoch(epoch);
  welcome.heartbeat_ms = limits::kHeartbeatMs;
  welcome.lease_ms = limits::kLeaseMs;
  receive(welcome, correlation);
  EXPECT_TRUE(core_.connected());
  return hellos.front();
}

void CoreOnDesk::send_tasks(const std::vector<AttemptKey>& keys, const TaskSpecPtr& spec,
                            const std::string& params) {
  Tasks tasks;
  tasks.specs.push_back(spec);
  for (const AttemptKey& key : keys) tasks.items.push_back({key, 0, {}, Payload(params)});
  send_tasks(std::move(tasks));
}

void CoreOnDesk::send_tasks(Tasks tasks) {
  receive(std::move(tasks), Correlation{++tasks_messages_});
}

void CoreOnDesk::end_attempt(const AttemptKey& key, Outcome outcome) {
  apply(command::AttemptEnded{key, std::move(outcome)});
}

}  // namespace taskpipe::worker::testing
