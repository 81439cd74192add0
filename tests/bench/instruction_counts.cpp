// The work of the hot path as fixed pieces, for callgrind: instruction_counts.py runs this and
// compares how many instructions each piece takes with docs/benchmarks.md.
//
// Pieces take batches of kBatch tasks with 100 bytes of params, as a burst does. Everything is
// fixed: ids, times, sizes. Each piece is met kRounds times, after kWarmUp rounds that grow tables
// and buffers; its counts are dumped under its name, and the number of tasks is printed as
//   NAME TASKS
// Without valgrind the requests do nothing, and this only shows that the pieces run.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <valgrind/callgrind.h>

#include "broker/core/broker_core.hpp"
#include "broker/journal/batch_buffer.hpp"
#include "client/src/wait_table.hpp"
#include "common/protocol/codec.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::uint32_t kBatch = 256;
constexpr std::uint32_t kRounds = 16;
constexpr std::uint32_t kWarmUp = 8;
constexpr std::size_t kPayloadBytes = 100;
constexpr Peer kClient{Port::client, 1};
constexpr Peer kWorker{Port::worker, 2};

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "instruction_counts: %s\n", why.c_str());
  std::exit(1);
}

// Counts what `piece` does in the rounds that count. Inlined work stays between the two switches,
// since callgrind's requests are barriers.
class Meter {
 public:
  template <class Piece>
  void count(std::uint32_t round, Piece piece) const {
    if (round < kWarmUp) {
      piece();
      return;
    }
    CALLGRIND_TOGGLE_COLLECT;
    piece();
    CALLGRIND_TOGGLE_COLLECT;
  }
};

// What was counted since the last report belongs to `name`.
void report(const char* name) {
  CALLGRIND_DUMP_STATS_AT(name);
  std::printf("%s %u\n", name, kRounds * kBatch);
}

Submit submit_batch(std::uint32_t round) {
  const TaskIdPrefix prefix{1'790'000'000'000, 0x1234567890ab};
  auto spec = std::make_shared<TaskSpec>();
  spec->tool = "noop";
  Submit submit;
  submit.specs.push_back(std::move(spec));
  for (std::uint32_t i = 0; i < kBatch; ++i) {
    const std::uint32_t number = round * kBatch + i;
    submit.items.push_back(
        {prefix.id(number), 0, Payload(std::string(kPayloadBytes, 'p')), {7, number}});
  }
  return submit;
}

Result result_of(const Tasks& tasks) {
  Result result;
  for (const auto& item : tasks.items) {
    Outcome outcome;
    outcome.state = TaskState::success;
    outcome.usage = {50, 40, 10, 1U << 20U};
    outcome.report = Payload(std::string(kPayloadBytes, 'r'));
    result.items.push_back({item.attempt, std::move(outcome)});
  }
  return result;
}

// A core with one client and one worker, whose turns are durable at once.
class Broker {
 public:
  Broker() : core_(BrokerConfig{}) {
    now_.monotonic = MonotonicTime{std::chrono::hours(1)};
    now_.wall = WallTime{1'790'000'000'000};
    core_.start(Epoch(1), BrokerUuid(1, 2), {}, now_, effects_);
    client_ = hello(kClient, {});
    ToolOffer tool;
    tool.name = "noop";
    WorkerOffer offer;
    offer.slots = 2 * kBatch;
    offer.resources.cpus = 2 * kBatch;
    offer.tools.push_back(std::move(tool));
    worker_ = hello(kWorker, std::move(offer));
    say(kWorker, worker_, Credit{1U << 30U, std::uint64_t{1} << 40U});
    end_turn();
    effects_.clear();
  }

  void say(const Peer& peer, SessionId session, Message message) {
    correlation_ = correlation_.next();  // one that is not new is taken for a repetition
    core_.apply(command::MessageReceived{peer, session, correlation_, false, std::move(message)},
                now_, effects_);
  }
  void end_turn() { core_.apply(command::TurnEnded{}, now_, effects_); }
  // The history takes what has ended, and the core lets go of it.
  void commit_history() {
    core_.apply(command::HistoryReady{core_.last_lsn(), kBatch}, now_, effects_);
    core_.apply(command::HistoryCommitted{core_.last_lsn()}, now_, effects_);
  }

  template <class T>
  [[nodiscard]] std::vector<T> sent() const {
    std::vector<T> found;
    for (const auto& send : effects_.sends) {
      if (const auto* message = std::get_if<T>(&send.message)) found.push_back(*message);
    }
    return found;
  }
  [[nodiscard]] SessionId client() const { return client_; }
  [[nodiscard]] SessionId worker() const { return worker_; }
  [[nodiscard]] Effects& effects() { return effects_; }
  [[nodiscard]] const BrokerCore& core() const { return core_; }

 private:
  SessionId hello(const Peer& peer, std::optional<WorkerOffer> offer) {
    Hello hello;
    hello.role = offer ? Role::worker : Role::client;
    hello.user = "bench";
    hello.uuid = PeerUuid(peer.routing, 1);
    hello.incarnation = 1;
    hello.name = "peer";
    hello.worker = std::move(offer);
    say(peer, SessionId{}, std::move(hello));
    const auto welcomes = sent<Welcome>();
    if (welcomes.empty()) give_up("no WELCOME");
    return welcomes.back().session;
  }

  BrokerCore core_;
  Now now_;
  Effects effects_;
  Correlation correlation_;
  SessionId client_;
  SessionId worker_;
};

// What one batch left behind, for the codec and the journal.
struct Samples {
  std::vector<Message> messages;
  std::vector<std::vector<Record>> turns;
};

// One batch from SUBMIT to DONE; `stage` is called with each stage's name and work.
template <class Stage>
void run_batch(Broker& broker, std::uint32_t round, Samples& samples, Stage stage) {
  Submit submit = submit_batch(round);
  Wait wait;
  for (const auto& item : submit.items) wait.tasks.push_back(item.id);
  const auto keep = [&](auto messages) {
    for (auto& message : messages) samples.messages.emplace_back(std::move(message));
  };
  const auto close_turn = [&] {
    samples.turns.push_back(std::move(broker.effects().records));
    broker.effects().clear();
  };
  samples.messages.emplace_back(submit);
  broker.effects().clear();
  stage("core_submit", [&] { broker.say(kClient, broker.client(), std::move(submit)); });
  stage("core_wait", [&] { broker.say(kClient, broker.client(), std::move(wait)); });
  stage("core_dispatch", [&] { broker.end_turn(); });
  const auto tasks = broker.sent<Tasks>();
  std::vector<Result> results;
  for (const auto& batch : tasks) results.push_back(result_of(batch));
  keep(tasks);
  keep(results);
  close_turn();
  stage("core_result", [&] {
    for (auto& result : results) broker.say(kWorker, broker.worker(), std::move(result));
    broker.end_turn();
  });
  const auto done = broker.sent<Done>();
  std::size_t ended = 0;
  for (const auto& message : done) ended += message.tasks.size();
  if (ended != kBatch) give_up("a batch did not end: " + std::to_string(ended) + " tasks did");
  keep(done);
  close_turn();
  stage("core_history", [&] { broker.commit_history(); });
  broker.effects().clear();
  if (broker.core().tasks_held() != 0) give_up("the core holds what has ended");
}

// Each stage has a broker of its own that counts it alone: callgrind has one set of counters.
std::vector<Samples> count_core() {
  const Meter meter;
  std::vector<Samples> rounds;
  for (const char* counted :
       {"core_submit", "core_wait", "core_dispatch", "core_result", "core_history"}) {
    Broker broker;
    rounds.clear();
    for (std::uint32_t round = 0; round < kWarmUp + kRounds; ++round) {
      run_batch(broker, round, rounds.emplace_back(), [&](const std::string& name, auto work) {
        if (name == counted) {
          meter.count(round, work);
        } else {
          work();
        }
      });
    }
    report(counted);
  }
  return rounds;
}

std::vector<protocol::FrameView> views_of(const protocol::EncodedMessage& message) {
  std::vector<protocol::FrameView> views{message.header, std::as_bytes(std::span(message.body))};
  for (const auto& blob : message.blobs) views.push_back(blob.bytes());
  return views;
}

// Each round's messages of type T hold kBatch tasks together.
template <class T>
void count_codec(const std::string& name, const std::vector<Samples>& rounds) {
  const Meter meter;
  for (const bool encoding : {true, false}) {
    for (std::uint32_t round = 0; round < rounds.size(); ++round) {
      for (const auto& message : rounds[round].messages) {
        if (!std::holds_alternative<T>(message)) continue;
        if (encoding) {
          meter.count(round, [&] {
            if (!protocol::encode(message, Correlation(1), SessionId(1))) give_up("cannot encode");
          });
        } else {
          const auto encoded = protocol::encode(message, Correlation(1), SessionId(1));
          const auto frames = views_of(*encoded);
          meter.count(round, [&] {
            if (!protocol::decode(frames)) give_up("cannot decode");
          });
        }
      }
    }
    report(((encoding ? "encode_" : "decode_") + name).c_str());
  }
}

// All records of a batch of tasks, encoded and sealed as the commit thread would; no disk.
void count_journal(const std::vector<Samples>& rounds) {
  const Meter meter;
  BatchBuffer buffer;
  Lsn next(1);
  for (std::uint32_t round = 0; round < rounds.size(); ++round) {
    for (const auto& records : rounds[round].turns) {
      meter.count(round, [&] {
        if (buffer.append(Epoch(1), next, records)) give_up("cannot append");
        buffer.seal(0);
        for (std::size_t i = 0; i < buffer.batches().size(); ++i) buffer.stamp(i, Lsn(), 7);
      });
      next = buffer.last().next();
      buffer.clear();
    }
  }
  report("journal_append");
}

// A call waits for a batch, registers it, and is given its results.
void count_waiting(const std::vector<Samples>& rounds) {
  const Meter meter;
  client::CorrelationSource correlations;
  client::WaitTable table(correlations);
  for (std::uint32_t round = 0; round < rounds.size(); ++round) {
    std::vector<TaskId> ids;
    std::vector<Done> ends;
    for (const auto& message : rounds[round].messages) {
      if (const auto* done = std::get_if<Done>(&message)) ends.push_back(*done);
    }
    for (const auto& end : ends) {
      for (const auto& task : end.tasks) ids.push_back(task.attempt.task);
    }
    client::Effects effects;
    meter.count(round, [&] {
      table.add(client::CallId(round + 1), std::move(ids));
      table.flush(MonotonicTime{}, SessionId(1), effects);
      for (auto& end : ends) table.on_done(std::move(end), effects);
    });
    if (!table.idle()) give_up("a wait does not end");
  }
  report("client_wait");
}

void count_all() {
  const std::vector<Samples> rounds = count_core();
  count_codec<Submit>("submit", rounds);
  count_codec<Tasks>("tasks", rounds);
  count_codec<Result>("result", rounds);
  count_codec<Done>("done", rounds);
  count_journal(rounds);
  count_waiting(rounds);
}

}  // namespace
}  // namespace taskpipe::broker

int main() {
  taskpipe::broker::count_all();
  return 0;
}
