// What clients and workers may send to a broker in established sessions, among turns, restarts,
// losses and garbage collection. After every turn the core's invariants hold, what it sends
// encodes, what it records reads back, and no task ends more often than it was submitted.
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "broker/journal/record_codec.hpp"
#include "tests/fuzz/frames.hpp"
#include "tests/fuzz/known_attempts.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/script_mutator.hpp"
#include "tests/support/core_cluster.hpp"

namespace taskpipe::broker {
namespace {

using fuzz::Bytes;
using fuzz::require;
using fuzz::Step;

constexpr std::uint64_t kEpochOfSamples = 7;

// Has room for whatever the golden messages submit.
WorkerOffer large_offer() {
  WorkerOffer offer;
  offer.slots = 64;
  offer.resources = {64, 8, 1ULL << 40U, {{"license.abaqus", 8}, {"scratch_gb", 1'000'000}}};
  offer.tools = {{"lammps", "1", "", {{"melt/in.melt", std::string(64, '0')}}, true, false},
                 {"shell", "1", "", {}, true, false}};
  return offer;
}

class FuzzedBroker {
 public:
  FuzzedBroker() {
    while (cluster_.core().epoch() < Epoch(kEpochOfSamples)) cluster_.restart();
    connect();
  }

  void run(const Step& step) {
    static constexpr std::array kActs = {
        &FuzzedBroker::message, &FuzzedBroker::message,    &FuzzedBroker::message,
        &FuzzedBroker::message, &FuzzedBroker::malformed,  &FuzzedBroker::pass_time,
        &FuzzedBroker::peers,   &FuzzedBroker::attempts,   &FuzzedBroker::history,
        &FuzzedBroker::collect, &FuzzedBroker::restart,    &FuzzedBroker::surroundings,
        &FuzzedBroker::topics,  &FuzzedBroker::turn_seldom};
    (this->*kActs[step.op % kActs.size()])(step);
    look();
  }

 private:
  struct Party {
    Peer peer;
    SessionId session;
  };

  void connect() {
    parties_[0].session = cluster_.connect_client(1, "ann");
    parties_[1].session = cluster_.connect_client(2, "bob");
    for (const std::size_t i : {2U, 3U}) {
      Party& worker = parties_[i];
      worker.session = cluster_.connect_worker(worker.peer.routing, PeerUuid(5, i),
                                               "node" + std::to_string(i), large_offer());
      cluster_.say(worker.peer, worker.session, Credit{64, 1'000'000});
    }
    look();
  }

  // arg: which peer (3 bits), RESEND, another session, known ids, correlation (2 bits).
  Party& party_of(std::uint8_t arg) { return parties_[(arg & 7U) % parties_.size()]; }
  SessionId session_of(std::uint8_t arg) {
    const SessionId session = party_of(arg).session;
    return (arg & 16U) == 0 ? session : SessionId(session.value() / 2);
  }

  void message(const Step& step) {
    auto decoded = fuzz::decode_spelled(step.payload);
    if (!decoded) return malformed(step);
    if ((step.arg & 32U) != 0) known_.adopt(decoded->message);
    cluster_.say(party_of(step.arg).peer, session_of(step.arg), std::move(decoded->message),
                 (step.arg & 8U) != 0, Correlation(step.arg >> 6U));
  }
  void malformed(const Step& step) {
    cluster_.apply(command::MalformedReceived{party_of(step.arg).peer, session_of(step.arg),
                                              Correlation(step.arg >> 6U),
                                              Error{ErrorCode::malformed, "text", "field"}});
  }
  void pass_time(const Step& step) {
    cluster_.advance(Millis(Bytes(step.payload).word() * (1U + step.arg % 8U)));
  }
  void peers(const Step& step) {
    const Peer peer = party_of(step.arg).peer;
    if ((step.arg & 8U) != 0) return cluster_.apply(command::PeerProbed{peer});
    cluster_.apply(command::PeerUnreachable{peer});
  }
  // A worker that does its work.
  void attempts(const Step& step) {
    if (known_.empty()) return;
    Bytes in(step.payload);
    const AttemptKey key = known_.at(in.byte());
    Outcome outcome = testing::success();
    outcome.state = static_cast<TaskState>(2 + in.byte() % 5);
    outcome.usage.wall_us = in.word();
    Party& worker = parties_[2 + (step.arg & 1U)];
    switch (step.arg >> 1U & 3U) {
      case 0: cluster_.say(worker.peer, worker.session, Started{{{key, 1}}}); break;
      case 1: cluster_.say(worker.peer, worker.session, Returned{{key}}); break;
      default: cluster_.say(worker.peer, worker.session, Result{{{key, outcome}}}); break;
    }
  }
  void history(const Step& step) {
    cluster_.auto_history = (step.arg & 1U) != 0;
    cluster_.hold_lookups = (step.arg & 2U) != 0;
    if ((step.arg & 4U) != 0) cluster_.answer_lookups();
    if ((step.arg & 8U) != 0) cluster_.commit_history();
  }
  void collect(const Step& step) { cluster_.collect_garbage(1 + step.arg % 4U); }
  void restart(const Step& step) {
    cluster_.restart();
    if ((step.arg & 1U) != 0) connect();
  }
  void surroundings(const Step& step) {
    Bytes in(step.payload);
    switch (step.arg % 8) {
      case 0: cluster_.apply(command::ShutdownRequested{}); break;
      case 1:
      case 2: cluster_.apply(command::LoopStalled{Millis(in.word())}); break;
      case 3: cluster_.apply(command::CarryForward{Lsn(in.byte()), in.byte()}); break;
      default: cluster_.apply(command::StorageState{(step.arg & 8U) != 0, in.word()}); break;
    }
  }
  void topics(const Step& step) {
    static constexpr std::array kTopics = {
        "task.lammps.", "task.shell.", "progress.lammps.", "progress.shell.",
        "worker.",      "heartbeat.",  "workflow.",        ""};
    std::string topic = kTopics[step.arg >> 2U & 7U] + step.payload;
    if ((step.arg & 2U) != 0 && !known_.empty()) {
      topic = "id." + known_.at(step.arg >> 2U).task.to_string() + ".";
    }
    if ((step.arg & 1U) != 0) return cluster_.apply(command::TopicUnsubscribed{topic});
    cluster_.apply(command::TopicSubscribed{topic});
  }
  void turn_seldom(const Step&) { cluster_.end_turn(); }

  // At everything that came out since the last time.
  void look() {
    static_cast<void>(cluster_.core().next_deadline());
    for (Party& party : parties_) {
      for (const Message& sent : cluster_.take(party.peer)) {
        fuzz::check_sendable(sent);
        if (const auto* welcome = std::get_if<Welcome>(&sent)) party.session = welcome->session;
        if (const auto* tasks = std::get_if<Tasks>(&sent)) {
          for (const auto& item : tasks->items) known_.add(item.attempt);
        }
      }
    }
    const auto& published = cluster_.published();
    for (; published_ < published.size(); ++published_) {
      fuzz::check_publishable(published[published_].topic, published[published_].events);
    }
    for (const auto& [lsn, record] : cluster_.journal()) {
      if (lsn <= recorded_) continue;
      recorded_ = lsn;
      check(record);
    }
    for (const auto& [id, ends] : cluster_.terminal_records()) {
      require(ends <= submitted_[id], "a task has ended more than once");
    }
  }

  void check(const Record& record) {
    ByteBuffer bytes;
    encode_record(record, bytes);
    const auto again = decode_record(bytes.bytes());
    if (!again) fuzz::violated("a record cannot be read: " + again.error().text);
    require(*again == record, "a record reads as another one");
    if (const auto* tasks = std::get_if<record::TasksSubmitted>(&record)) {
      for (const auto& item : tasks->items) ++submitted_[item.id];
    } else if (const auto* workflow = std::get_if<record::WorkflowSubmitted>(&record)) {
      for (const auto& item : workflow->items) ++submitted_[item.id];
    }
  }

  testing::CoreCluster cluster_;
  std::array<Party, 6> parties_ = {{{{Port::client, 1}, {}},
                                    {{Port::client, 2}, {}},
                                    {{Port::worker, 100}, {}},
                                    {{Port::worker, 101}, {}},
                                    {{Port::client, 3}, {}},
                                    {{Port::worker, 102}, {}}}};
  fuzz::KnownAttempts known_;
  std::size_t published_ = 0;
  Lsn recorded_;
  std::map<TaskId, int> submitted_;
};

}  // namespace
}  // namespace taskpipe::broker

TASKPIPE_FUZZ_SCRIPTS();

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(throw_on_failure, true);  // CoreCluster looks with googletest's eyes
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  taskpipe::broker::FuzzedBroker broker;
  for (const auto& step : taskpipe::fuzz::read_script(taskpipe::fuzz::text_of(data, size))) {
    broker.run(step);
  }
  return 0;
}
