// What a broker may send to a worker, among what executors and the spool report. Invariants hold,
// what it sends encodes, and whatever it was given it can still end.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>

#include "tests/fuzz/frames.hpp"
#include "tests/fuzz/known_attempts.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/script_mutator.hpp"
#include "tests/unit/protocol/samples.hpp"
#include "tests/unit/worker_core/worker_fixture.hpp"

namespace taskpipe::worker {
namespace {

using fuzz::Bytes;
using fuzz::Step;

// Runs whatever the golden messages give it.
WorkerConfig config() {
  WorkerConfig config = testing::test_config();
  config.resources = {64, 8, 1ULL << 40U, {{"license.abaqus", 8}, {"scratch_gb", 1'000'000}}};
  config.tools.push_back(
      {{"lammps", "1", "", {{"melt/in.melt", std::string(64, '0')}}, true, false},
       AttemptKind::process});
  return config;
}

class FuzzedWorker {
 public:
  FuzzedWorker() : desk_(config()) {
    desk_.establish(session_.value(), 7);
    for (std::uint32_t i = 0; i < 3; ++i) known_.add(protocol::samples::attempt(i));
  }

  // False once the worker has ended.
  bool run(const Step& step) {
    static constexpr std::array kActs = {
        &FuzzedWorker::message,   &FuzzedWorker::message, &FuzzedWorker::message,
        &FuzzedWorker::message,   &FuzzedWorker::link,    &FuzzedWorker::pass_time,
        &FuzzedWorker::output,    &FuzzedWorker::end,     &FuzzedWorker::spool,
        &FuzzedWorker::read_logs, &FuzzedWorker::stop,    &FuzzedWorker::turn};
    (this->*kActs[step.op % kActs.size()])(step);
    return !over_;
  }

 private:
  // arg: another session (2 bits), correlation as asked for, known ids, end of the turn.
  void message(const Step& step) {
    auto decoded = fuzz::decode_spelled(step.payload);
    if (!decoded) {
      desk_.apply(command::MalformedReceived{std::move(decoded.error())});
    } else {
      Message& message = decoded->message;
      if ((step.arg & 8U) != 0) known_.adopt(message);
      if (const auto* tasks = std::get_if<Tasks>(&message)) {
        for (const auto& item : tasks->items) known_.add(item.attempt);
        ++tasks_messages_;
      }
      Correlation correlation((step.arg & 4U) != 0 ? step.arg : tasks_messages_);
      const auto* welcome = std::get_if<Welcome>(&message);
      const auto* who = std::get_if<Who>(&message);
      SessionId session = session_;
      if (welcome != nullptr) {
        session = welcome->session;
        correlation = hello_;
        session_ = welcome->session;
        tasks_messages_ = 0;
      } else if (who != nullptr || (step.arg & 3U) == 3) {
        session = SessionId{};
      }
      desk_.receive_as(session, std::move(message), correlation);
    }
    if ((step.arg & 16U) == 0) carry_out();
  }
  void link(const Step& step) {
    if ((step.arg & 1U) != 0) return desk_.apply(command::LinkUnwritable{});
    desk_.apply(command::MalformedReceived{Error{ErrorCode::malformed, "text", "field"}});
  }
  void pass_time(const Step& step) {
    desk_.advance(Millis(Bytes(step.payload).word() * (1U + step.arg % 8U)));
    carry_out();
  }
  void output(const Step& step) {
    Bytes in(step.payload);
    const AttemptKey key = known_.at(in.byte());
    switch (step.arg % 3) {
      case 0: desk_.apply(command::AttemptStarted{key, in.word()}); break;
      case 1: {
        const std::uint64_t offset = in.word();
        const auto stream = (step.arg & 16U) != 0 ? LogStream::err : LogStream::out;
        desk_.apply(command::AttemptOutput{key, stream, offset, Payload(in.rest())});
        break;
      }
      default: {
        const double percent = in.byte() - 1.0;
        const double value = in.word();
        const std::string text(in.rest());
        desk_.apply(command::AttemptProgressed{key, {percent, text, {{text, value}}}});
      }
    }
  }
  // Exactly one of each that was started, but for those that are ended by others.
  void end(const Step& step) {
    Bytes in(step.payload);
    Outcome outcome = testing::success();
    outcome.state = static_cast<TaskState>(2 + in.byte() % 5);
    outcome.reason = std::string(in.rest());
    if (started_.empty()) return;
    const std::size_t which = step.arg % started_.size();
    const AttemptKey key = started_[which];
    started_.erase(started_.begin() + static_cast<std::ptrdiff_t>(which));
    desk_.end_attempt(key, outcome);
  }
  void spool(const Step& step) {
    if (stores_.empty()) return;
    desk_.apply(command::SpoolStored{stores_.front(), (step.arg & 1U) == 0});
    stores_.pop_front();
  }
  void read_logs(const Step& step) {
    if (reads_.empty()) return;
    const ReadLog read = reads_.front();
    reads_.pop_front();
    Chunk chunk;
    chunk.task = read.fetch.task;
    chunk.offset = read.fetch.offset;
    chunk.data = Payload(step.payload);
    desk_.apply(command::LogRead{read.session, read.correlation, chunk});
  }
  void stop(const Step& step) {
    if (step.arg % 8 == 0) desk_.apply(command::StopRequested{});
  }
  void turn(const Step&) { carry_out(); }

  void carry_out() {
    const Effects effects = desk_.end_turn();
    for (const auto& store : effects.stores) stores_.push_back(store.result.attempt);
    for (const auto& start : effects.starts) {
      fuzz::require(std::ranges::find(started_, start.attempt) == started_.end(),
                    "an attempt that runs is started again");
      started_.push_back(start.attempt);
    }
    for (const auto& read : effects.log_reads) reads_.push_back(read);
    for (const auto& send : effects.sends) {
      fuzz::check_sendable(send.message);
      if (std::holds_alternative<Hello>(send.message)) hello_ = send.correlation;
    }
    over_ = effects.exit.has_value();
    static_cast<void>(desk_.core().next_deadline());
  }

  SessionId session_{7};
  testing::CoreOnDesk desk_;
  fuzz::KnownAttempts known_;
  Correlation hello_;
  std::uint64_t tasks_messages_ = 0;
  std::vector<AttemptKey> started_;
  std::deque<AttemptKey> stores_;
  std::deque<ReadLog> reads_;
  bool over_ = false;
};

}  // namespace
}  // namespace taskpipe::worker

TASKPIPE_FUZZ_SCRIPTS();

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(throw_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  taskpipe::worker::FuzzedWorker worker;
  for (const auto& step : taskpipe::fuzz::read_script(taskpipe::fuzz::text_of(data, size))) {
    if (!worker.run(step)) break;
  }
  return 0;
}
