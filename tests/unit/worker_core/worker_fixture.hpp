// A worker core on a desk: time that moves when told, a broker played by the test, and everything
// the core asked for in one place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "worker/core/worker_core.hpp"

namespace taskpipe::worker::testing {

// Attempt `number` of a made-up task; distinct numbers are distinct tasks.
[[nodiscard]] AttemptKey key(std::uint64_t number, std::uint32_t attempt = 1);
[[nodiscard]] TaskSpecPtr spec(std::string tool, std::uint32_t cpus = 1, std::int32_t priority = 0);
[[nodiscard]] Outcome success();

// 4 cpus, 1 gpu, 1 GiB, 2 licenses; process tools "shell" (inline scripts) and "solver" (needs a
// script, offers "cavity"), handlers "noop" and "heavy".
[[nodiscard]] WorkerConfig test_config();

// One line per effect, in the order in which the shell would carry them out: for transcripts.
[[nodiscard]] std::string describe(const Effects& effects);

class CoreOnDesk {
 public:
  explicit CoreOnDesk(WorkerConfig config = test_config());

  // Applies and keeps the effects until `end_turn` takes them.
  void apply(const Command& command);
  void receive(Message message, Correlation correlation = Correlation{});  // current session
  void receive_as(SessionId session, Message message, Correlation correlation = Correlation{});
  // Applies TurnEnded and returns everything since the last time.
  Effects end_turn();
  void advance(Millis duration) { now_.monotonic = now_.monotonic + duration; }

  // From nothing to an established session; its effects are discarded.
  void establish(std::uint64_t session = 7, std::uint64_t epoch = 3);
  // WHO and WELCOME on a link that is open already; returns the HELLO.
  Hello reconnect(std::uint64_t session, std::uint64_t epoch = 3);

  void send_tasks(const std::vector<AttemptKey>& keys, const TaskSpecPtr& spec,
                  const std::string& params = "");
  void send_tasks(Tasks tasks);  // numbered as a broker does
  void end_attempt(const AttemptKey& key, Outcome outcome = success());

  [[nodiscard]] WorkerCore& core() { return core_; }
  [[nodiscard]] const Now& now() const { return now_; }
  [[nodiscard]] SessionId session() const { return session_; }

 private:
  WorkerCore core_;
  Now now_{MonotonicTime{std::chrono::seconds(1000)}, WallTime{1'700'000'000'000}};
  SessionId session_;
  std::uint64_t tasks_messages_ = 0;
  Effects effects_;
};

// The messages of one type among the sends, in order.
template <class T>
std::vector<T> sent(const Effects& effects) {
  std::vector<T> found;
  for (const Send& send : effects.sends) {
    if (const T* message = std::get_if<T>(&send.message)) found.push_back(*message);
  }
  return found;
}

[[nodiscard]] std::vector<AttemptKey> started_keys(const Effects& effects);

}  // namespace taskpipe::worker::testing
