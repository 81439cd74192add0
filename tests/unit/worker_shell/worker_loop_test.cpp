// The loop over real sockets, against a broker that is played step by step.
#include "worker/shell/worker_loop.hpp"

#include <atomic>
#include <filesystem>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

#include "common/net/poll_loop.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/value_codec.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/worker_shell/awaited.hpp"
#include "worker/handlers/builtin_handlers.hpp"

namespace taskpipe::worker {
namespace {

using testing::kPatience;

AttemptKey key(std::uint64_t number) { return {TaskId(1, number), Epoch(2), Attempt(3)}; }

TaskSpecPtr spec(const std::string& tool) {
  TaskSpec made;
  made.tool = tool;
  return std::make_shared<const TaskSpec>(std::move(made));
}

// A ROUTER that answers probes with WHO and waits for what the test expects.
class ScriptedBroker {
 public:
  explicit ScriptedBroker(net::Context& context, const std::string& endpoint = "tcp://127.0.0.1:*")
      : router_(context, {}) {
    // The port of a broker that has just ended is free only once libzmq has closed its socket.
    auto bound = router_.bind(endpoint);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!bound && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
      bound = router_.bind(endpoint);
    }
    EXPECT_TRUE(bound) << bound.error().text;
    poller_.add(router_.native());
  }
  std::string endpoint() const { return router_.endpoint(); }

  void send(Message message, Correlation correlation = Correlation{}) {
    send_as(session_, std::move(message), correlation);
  }
  void send_as(SessionId session, Message message, Correlation correlation = Correlation{}) {
    const auto encoded = protocol::encode(message, correlation, session);
    ASSERT_TRUE(encoded) << encoded.error().text;
    ASSERT_EQ(router_.send(peer_, *encoded), net::SendStatus::sent);
  }
  void send_garbage() {
    protocol::EncodedMessage garbage;
    garbage.body = "not msgpack";
    ASSERT_EQ(router_.send(peer_, garbage), net::SendStatus::sent);
  }

  // Waits for a message of this type; PINGs are answered, others of no interest are passed over.
  template <class T>
  T expect() {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      if (!router_.receive(received_)) {
        poller_.wait(Millis{50});
        continue;
      }
      if (received_.is_probe()) {
        peer_ = received_.routing;
        send_as(SessionId{}, Who{epoch_});
        continue;
      }
      auto decoded = protocol::decode(received_.frames());
      EXPECT_TRUE(decoded) << decoded.error().text;
      if (!decoded) continue;
      correlation_ = decoded->header.correlation;
      if (const auto* ping = std::get_if<Ping>(&decoded->message)) answer(*ping);
      if (T* found = std::get_if<T>(&decoded->message)) {
        const bool greets = std::is_same_v<T, Hello>;
        EXPECT_EQ(decoded->header.session, greets ? SessionId{} : session_);
        return std::move(*found);
      }
    }
    ADD_FAILURE() << "the message that was waited for did not come";
    return {};
  }

  Hello welcome(std::uint64_t session, std::uint32_t heartbeat_ms = 100,
                std::uint32_t lease_ms = 60'000) {
    Hello hello = expect<Hello>();
    session_ = SessionId(session);
    Welcome welcome;
    welcome.session = session_;
    welcome.broker = BrokerUuid(1, 1);
    welcome.epoch = epoch_;
    welcome.heartbeat_ms = heartbeat_ms;
    welcome.lease_ms = lease_ms;
    welcome.max_message_bytes = limits::kMaxFrameBytes;
    welcome.max_batch_items = limits::kMaxBatchItems;
    send(welcome, correlation_);
    return hello;
  }
  [[nodiscard]] Correlation correlation() const { return correlation_; }

 private:
  // The worker may have left since.
  void answer(const Ping& ping) {
    const auto encoded = protocol::encode(Pong{ping.t, epoch_}, Correlation{}, session_);
    ASSERT_TRUE(encoded);
    (void)router_.send(peer_, *encoded);
  }

  net::RouterSocket router_;
  net::Poller poller_;
  net::ReceivedMessage received_;
  std::uint64_t peer_ = 0;
  SessionId session_;
  Epoch epoch_{2};
  Correlation correlation_;
};

class WorkerLoopTest : public ::testing::Test {
 protected:
  WorkerLoopTest() { EXPECT_TRUE(add_builtin_handlers(registry_)); }
  ~WorkerLoopTest() override { finish(); }

  void begin(std::vector<ResultItem> spooled = {}) {
    WorkerConfig config;
    config.uuid = PeerUuid(7, 7);
    config.user = "ada";
    config.name = "node1";
    config.host = "host1";
    config.slots = 2;
    config.resources.cpus = 2;
    config.drain_timeout = std::chrono::duration_cast<Millis>(kPatience);
    for (ToolOffer& offer : registry_.offers()) {
      config.tools.push_back({std::move(offer), AttemptKind::handler});
    }
    pool_ = std::make_unique<HandlerExecutor>(registry_, 2, "host1", post_batches_to(commands_));
    WorkerParts parts{context_, commands_, spool_, logs_, logger_};
    parts.handlers = pool_.get();
    loop_ = std::make_unique<WorkerLoop>(std::move(config), broker_->endpoint(), parts);
    thread_ = std::thread([this, spooled = std::move(spooled)] { exit_ = loop_->run(spooled); });
  }
  void stop() { commands_.post({command::StopRequested{}}); }
  // Ends the loop, if it still runs, and returns why it ended.
  Exit finish() {
    if (thread_.joinable()) {
      stop();
      stop();
      thread_.join();
    }
    return exit_;
  }
  Exit join() {
    thread_.join();
    return exit_;
  }
  void send_tasks(const std::string& tool, std::uint64_t from, std::uint64_t to,
                  const ValueMap& params = {}) {
    Tasks tasks;
    tasks.specs.push_back(spec(tool));
    for (std::uint64_t i = from; i < to; ++i) {
      tasks.items.push_back({key(i), 0, {{PeerUuid(7, 7)}}, *protocol::encode_params(params)});
    }
    broker_->send(std::move(tasks), Correlation{++tasks_messages_});
  }

  taskpipe::testing::TemporaryFolder folder_;
  HandlerRegistry registry_;
  process::Logger logger_{
      {"test", process::LogLevel::debug, process::LogFormat::text, (folder_ / "log").string()}};
  net::Context context_;
  CommandMailbox commands_;
  SpoolThread spool_{*SpoolFolder::open(folder_ / "spool"), commands_, logger_};
  LogReader logs_{(folder_ / "attempts").string(), commands_};
  std::uint64_t tasks_messages_ = 0;
  std::unique_ptr<ScriptedBroker> broker_ = std::make_unique<ScriptedBroker>(context_);
  std::unique_ptr<HandlerExecutor> pool_;
  std::unique_ptr<WorkerLoop> loop_;
  std::thread thread_;
  Exit exit_;
};

TEST_F(WorkerLoopTest, RunsTasksOfABroker) {
  begin();
  const Hello hello = broker_->welcome(11);
  ASSERT_TRUE(hello.worker);
  EXPECT_EQ(hello.uuid, PeerUuid(7, 7));
  EXPECT_EQ(hello.worker->tools.size(), 2U);
  const Credit credit = broker_->expect<Credit>();
  EXPECT_EQ(credit.slots_total, limits::kWorkerWindowTasks);

  constexpr std::uint64_t kTasks = 2000;
  for (std::uint64_t i = 0; i < kTasks; i += 250) send_tasks("noop", i, i + 250);
  std::size_t ended = 0;
  while (ended < kTasks && !HasFailure()) {
    const Result result = broker_->expect<Result>();
    ResultAck ack;
    for (const ResultItem& item : result.items) {
      EXPECT_EQ(item.outcome.state, TaskState::success);
      ack.items.push_back({item.attempt, ErrorCode::ok});
    }
    ended += result.items.size();
    broker_->send(std::move(ack));
  }
  EXPECT_EQ(ended, kTasks);
  stop();
  EXPECT_FALSE(broker_->expect<Drained>().finished);
  EXPECT_TRUE(broker_->expect<Drained>().finished);
  EXPECT_EQ(join().cause, ExitCause::drained);
}

TEST_F(WorkerLoopTest, TellsOfWhatRunsAndStopsIt) {
  begin();
  broker_->welcome(11);
  send_tasks("echo", 1, 2, {{"sleep_ms", Value(3'600'000)}});
  const Started started = broker_->expect<Started>();
  ASSERT_EQ(started.items.size(), 1U);
  EXPECT_EQ(started.items[0].attempt, key(1));
  broker_->send(Kill{{{key(1), 100}}});
  const Result result = broker_->expect<Result>();
  ASSERT_EQ(result.items.size(), 1U);
  EXPECT_EQ(result.items[0].outcome.state, TaskState::cancelled);
}

TEST_F(WorkerLoopTest, ProgressTravels) {
  begin();
  broker_->welcome(11);
  send_tasks("echo", 1, 2, {{"sleep_ms", Value(2000)}});
  const Progress progress = broker_->expect<Progress>();
  ASSERT_EQ(progress.items.size(), 1U);
  EXPECT_GT(progress.items[0].percent, 0);
}

TEST_F(WorkerLoopTest, PingsWhileTasksRun) {
  begin();
  broker_->welcome(11, 20);
  send_tasks("echo", 1, 3, {{"sleep_ms", Value(3'600'000)}});
  for (int i = 0; i < 5; ++i) (void)broker_->expect<Ping>();
}

TEST_F(WorkerLoopTest, RefusesAnUnknownTool) {
  begin();
  broker_->welcome(11);
  send_tasks("lammps", 1, 2);
  const TasksAck ack = broker_->expect<TasksAck>();
  ASSERT_EQ(ack.refused.size(), 1U);
  EXPECT_EQ(ack.refused[0].error.field, "tool");
}

TEST_F(WorkerLoopTest, ComesBackToARestartedBroker) {
  begin();
  broker_->welcome(11);
  send_tasks("echo", 1, 2, {{"sleep_ms", Value(3'600'000)}});
  (void)broker_->expect<Started>();
  const std::string endpoint = broker_->endpoint();
  broker_.reset();
  broker_ = std::make_unique<ScriptedBroker>(context_, endpoint);
  const Hello hello = broker_->welcome(12);
  ASSERT_TRUE(hello.worker);
  EXPECT_EQ(hello.worker->running, (std::vector<AttemptKey>{key(1)}));
  EXPECT_EQ(hello.last_epoch, Epoch(2));
  broker_->send(Reconcile{{}, {key(1)}, {}, {}});
  EXPECT_EQ(broker_->expect<Result>().items.at(0).attempt, key(1));
}

TEST_F(WorkerLoopTest, OffersSpooledResultsAndDropsThemWhenAcknowledged) {
  ResultItem old{key(5), {}};
  old.outcome.state = TaskState::success;
  {
    auto spool = *SpoolFolder::open(folder_ / "spool");
    ASSERT_TRUE(spool.write(old));
  }
  begin({old});
  const Hello hello = broker_->welcome(11);
  ASSERT_TRUE(hello.worker);
  EXPECT_EQ(hello.worker->unacknowledged, (std::vector<AttemptKey>{key(5)}));
  broker_->send(Reconcile{{}, {}, {key(5)}, {}});
  EXPECT_EQ(broker_->expect<Result>().items.at(0), old);
  broker_->send(ResultAck{{{key(5), ErrorCode::ok}}});
  stop();
  while (!HasFailure() && !broker_->expect<Drained>().finished) {
  }
  EXPECT_EQ(join().cause, ExitCause::drained);
  // The spool's thread works in order: what it answers now comes after the drop.
  spool_.store({{key(6), old.outcome}});
  EXPECT_FALSE(testing::take_commands(commands_, 1).empty());
  EXPECT_FALSE(std::filesystem::exists((*SpoolFolder::open(folder_ / "spool")).file_of(key(5))));
}

TEST_F(WorkerLoopTest, AnswersFetchWithItsCorrelation) {
  begin();
  broker_->welcome(11);
  broker_->send(Fetch{key(1).task, LogStream::out, 0, 0, false}, Correlation(77));
  const ErrorReply reply = broker_->expect<ErrorReply>();
  EXPECT_EQ(reply.error.code, ErrorCode::unknown_task);
  EXPECT_EQ(broker_->correlation(), Correlation(77));
}

TEST_F(WorkerLoopTest, GarbageHarmsNothing) {
  begin();
  broker_->welcome(11);
  for (int i = 0; i < 3; ++i) broker_->send_garbage();
  send_tasks("noop", 1, 2);
  EXPECT_EQ(broker_->expect<Result>().items.size(), 1U);
}

TEST_F(WorkerLoopTest, LeavesWhenReplaced) {
  begin();
  broker_->welcome(11);
  broker_->send(Bye{"replaced"});
  EXPECT_EQ(join().cause, ExitCause::replaced);
}

TEST_F(WorkerLoopTest, LeavesWhenRefused) {
  begin();
  (void)broker_->expect<Hello>();
  broker_->send_as(SessionId{}, ErrorReply{{ErrorCode::version, "speaks 2", "version_max"}});
  EXPECT_EQ(join().cause, ExitCause::refused);
}

TEST_F(WorkerLoopTest, TheSecondStopDoesNotWait) {
  begin();
  broker_->welcome(11);
  send_tasks("echo", 1, 2, {{"sleep_ms", Value(3'600'000)}});
  (void)broker_->expect<Started>();
  stop();
  EXPECT_FALSE(broker_->expect<Drained>().finished);
  stop();
  EXPECT_EQ(join().cause, ExitCause::stopped);
}

TEST_F(WorkerLoopTest, StopsWithoutEverMeetingABroker) {
  broker_.reset();
  broker_ = std::make_unique<ScriptedBroker>(context_);
  begin();
  stop();
  EXPECT_EQ(join().cause, ExitCause::drained);
}

}  // namespace
}  // namespace taskpipe::worker
