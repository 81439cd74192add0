// A broker for tests of peers: real sockets, scripted behaviour, no scheduling.
//
//   FakeBroker broker;                                 // listens on ports of its own
//   broker.drop_next(MessageType::submit);             // the next SUBMIT is lost
//   …
//   broker.finish(id, TaskState::success);             // DONE and events follow
//   ASSERT_TRUE(broker.await([&] { return broker.seen(MessageType::wait) == 2; }));
//
// It greets, acknowledges, remembers tasks (also across `restart`, as the journal would), answers
// waits and queries, and publishes what `finish`, `run` and `progress` say. Nothing happens by
// itself and nothing is timed: tests decide. Methods may be called from any thread but the
// broker's own; they return when the effect has left. Predicates and reply functions run on the
// broker's thread, where the methods marked [broker thread] may be used.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/model/messages.hpp"
#include "common/net/poll_loop.hpp"
#include "common/net/socket.hpp"
#include "common/process/mailbox.hpp"
#include "common/protocol/codec.hpp"

namespace taskpipe::testing {

using protocol::MessageType;

class FakeBroker {
 public:
  static constexpr std::uint32_t kHeartbeatMs = 100;
  static constexpr std::uint32_t kLeaseMs = 30'000;

  FakeBroker();
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;
  ~FakeBroker();

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  [[nodiscard]] const std::string& event_endpoint() const { return event_endpoint_; }

  // --- Life
  void stop();   // as a crash: the sockets are closed, nothing is said
  void start();  // on the same addresses, in a new epoch, with the tasks of before
  void restart() {
    stop();
    start();
  }
  void forget_sessions();  // every later message is answered by WHO

  void know_no_wait() { knows_wait_ = false; }  // in a SUBMIT, as older ones; before the first one

  // --- Faults, consumed in the order in which they were asked for
  void drop_next(MessageType type, int count = 1);
  // Kept back until `release`, or lost at `stop`.
  void hold(MessageType type);
  void release();
  using Reply = std::function<std::optional<Message>(const Message&)>;
  // Answers the next message of this kind by `reply` alone; nothing: as usual.
  void answer_next(MessageType type, Reply reply);
  // The next answer to this kind of message is cut off in the middle of its body.
  void garble_next(MessageType type);

  // --- Tasks
  void run(const TaskId& id);
  void run_unpublished(const TaskId& id);
  void progress(const TaskId& id, double percent, const std::string& message = "");
  void finish(const TaskId& id, TaskState state, Payload report = {});
  void finish_workflow(const WorkflowId& id, std::uint32_t succeeded);
  void write_log(const TaskId& id, const std::string& text);  // stdout
  void try_again(const TaskId& id);                           // with an empty log
  void add_task(const TaskId& id, const std::string& tool);   // submitted by somebody else
  void heartbeat();
  void publish(const std::string& topic, Events events);
  void say_bye(const std::string& reason);

  // --- Looking. `await` evaluates its predicate after every message; false after ten seconds.
  [[nodiscard]] bool await(std::function<bool()> predicate);
  [[nodiscard]] bool await_seen(MessageType type, std::size_t count = 1);
  [[nodiscard]] bool await_subscription(const std::string& topic);
  struct Task {
    TaskSpecPtr spec;
    Payload params;
    ParamsHash params_hash;
    TaskState state = TaskState::pending;
    Outcome outcome;
    double percent = -1.0;
    std::string log;
    Attempt attempt{1};  // that writes the log
    std::set<SessionId> waiters{};
    std::optional<Correlation> follower{};
    SessionId follower_session{};
    std::uint64_t follower_offset = 0;
  };
  [[nodiscard]] std::optional<Task> task(const TaskId& id);
  [[nodiscard]] std::size_t task_count();
  [[nodiscard]] std::vector<TaskId> task_ids();
  [[nodiscard]] std::size_t seen(MessageType type) const;              // [broker thread]
  [[nodiscard]] std::size_t seen_resends() const { return resends_; }  // [broker thread]
  [[nodiscard]] bool subscribed(const std::string& topic) const;       // [broker thread]
  [[nodiscard]] Epoch epoch() const { return epoch_; }

  // Runs `job` on the broker's thread and waits for it.
  void on_thread(const std::function<void()>& job);

 private:
  struct Handle;  // answers each kind of message
  struct Arrived {
    std::uint64_t routing = 0;
    protocol::DecodedMessage decoded;
  };
  struct Fault {
    MessageType type{};
    enum class Kind { drop, hold, answer, garble } kind = Kind::drop;
    Reply reply{};
  };

  void loop();
  void receive();
  void receive_subscriptions();
  void handle(Arrived&& arrived);
  // True when a fault took care of it.
  bool misbehave(Arrived& arrived);
  void answer(const Arrived& to, Message message);
  void send(SessionId session, Correlation correlation, Message message);
  void check_predicates();
  void publish_state(const TaskId& id, bool own_topic_only);
  void publish_now(const std::string& topic, Events events);
  void feed_log(const TaskId& id, Task& task);
  [[nodiscard]] TaskEvent event_of(const TaskId& id) const;
  [[nodiscard]] DoneTask done_of(const TaskId& id) const;

  std::atomic<bool> knows_wait_{true};
  std::string endpoint_;
  std::string event_endpoint_;
  Epoch epoch_{0};
  process::Mailbox<std::function<void()>> jobs_;
  std::thread thread_;

  // Of the broker's thread.
  std::unique_ptr<net::Context> context_;
  std::unique_ptr<net::RouterSocket> router_;
  std::unique_ptr<net::XpubSocket> xpub_;
  bool stopping_ = false;
  std::uint64_t last_session_ = 0;
  std::map<SessionId, std::uint64_t> sessions_;
  std::map<SessionId, std::uint64_t> received_items_;
  std::map<TaskId, Task> tasks_;
  std::map<WorkflowId, std::vector<TaskId>> workflows_;
  std::map<WorkflowId, std::set<SessionId>> workflow_waiters_;
  std::vector<Fault> faults_;
  std::vector<Arrived> held_;
  bool garble_ = false;
  std::map<MessageType, std::size_t> seen_;
  std::size_t resends_ = 0;
  std::set<std::string> subscriptions_;
  std::map<std::string, std::uint64_t> sequences_;
  struct Awaited {
    std::function<bool()> predicate;
    std::shared_ptr<std::promise<void>> met;
  };
  std::vector<Awaited> awaited_;
};

}  // namespace taskpipe::testing
