#include "tests/support/fake_broker.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::testing {
namespace {

constexpr std::chrono::seconds kPatience{10};

std::string task_topic(const TaskId& id) { return "id." + id.to_string() + "."; }

void require(const tl::expected<void, Error>& done) {
  if (!done) throw std::runtime_error(done.error().text);
}

}  // namespace

FakeBroker::FakeBroker() : endpoint_("tcp://127.0.0.1:*"), event_endpoint_(endpoint_) { start(); }

FakeBroker::~FakeBroker() { stop(); }

void FakeBroker::start() {
  epoch_ = epoch_.next();
  stopping_ = false;
  context_ = std::make_unique<net::Context>();
  router_ = std::make_unique<net::RouterSocket>(*context_, net::SocketTuning{});
  xpub_ = std::make_unique<net::XpubSocket>(*context_, net::SocketTuning{});
  require(router_->bind(endpoint_));
  require(xpub_->bind(event_endpoint_));
  endpoint_ = router_->endpoint();
  event_endpoint_ = xpub_->endpoint();
  thread_ = std::thread([this] { loop(); });
}

void FakeBroker::stop() {
  if (!thread_.joinable()) return;
  jobs_.post([this] { stopping_ = true; });
  thread_.join();
}

void FakeBroker::loop() {
  net::Poller poller;
  poller.add_fd(jobs_.fd());
  poller.add(router_->native());
  poller.add(xpub_->native());
  std::vector<std::function<void()>> jobs;
  while (!stopping_) {
    poller.wait(std::nullopt);
    jobs_.take(jobs);
    for (const auto& job : jobs) job();
    receive();
    receive_subscriptions();
    check_predicates();
  }
  router_.reset();
  xpub_.reset();
  context_.reset();
  sessions_.clear();
  received_items_.clear();
  held_.clear();
  subscriptions_.clear();
  for (auto& [id, task] : tasks_) {
    task.waiters.clear();
    task.follower.reset();
  }
  workflow_waiters_.clear();
}

void FakeBroker::on_thread(const std::function<void()>& job) {
  std::promise<void> done;
  jobs_.post([&] {
    job();
    done.set_value();
  });
  done.get_future().wait();
}

bool FakeBroker::await(std::function<bool()> predicate) {
  auto met = std::make_shared<std::promise<void>>();
  auto future = met->get_future();
  jobs_.post([this, predicate = std::move(predicate), met] {
    awaited_.push_back(Awaited{predicate, met});
  });
  const bool in_time = future.wait_for(kPatience) == std::future_status::ready;
  // What the predicate refers to goes out of scope now.
  if (!in_time) on_thread([this] { awaited_.clear(); });
  return in_time;
}

void FakeBroker::check_predicates() {
  std::erase_if(awaited_, [](const Awaited& awaited) {
    if (!awaited.predicate()) return false;
    awaited.met->set_value();
    return true;
  });
}

bool FakeBroker::await_seen(MessageType type, std::size_t count) {
  return await([this, type, count] { return seen(type) >= count; });
}

bool FakeBroker::await_subscription(const std::string& topic) {
  return await([this, topic] { return subscribed(topic); });
}

std::size_t FakeBroker::seen(MessageType type) const {
  const auto found = seen_.find(type);
  return found == seen_.end() ? 0 : found->second;
}

bool FakeBroker::subscribed(const std::string& topic) const {
  return subscriptions_.count(topic) > 0;
}

std::optional<FakeBroker::Task> FakeBroker::task(const TaskId& id) {
  std::optional<Task> result;
  on_thread([&] {
    const auto found = tasks_.find(id);
    if (found != tasks_.end()) result = found->second;
  });
  return result;
}

std::size_t FakeBroker::task_count() {
  std::size_t count = 0;
  on_thread([&] { count = tasks_.size(); });
  return count;
}

std::vector<TaskId> FakeBroker::task_ids() {
  std::vector<TaskId> ids;
  on_thread([&] {
    for (const auto& [id, task] : tasks_) ids.push_back(id);
  });
  return ids;
}

void FakeBroker::forget_sessions() {
  on_thread([this] {
    sessions_.clear();
    for (auto& [id, task] : tasks_) task.waiters.clear();
  });
}

void FakeBroker::drop_next(MessageType type, int count) {
  on_thread([&] {
    for (int i = 0; i < count; ++i) faults_.push_back(Fault{type, Fault::Kind::drop});
  });
}

void FakeBroker::hold(MessageType type) {
  on_thread([&] { faults_.push_back(Fault{type, Fault::Kind::hold}); });
}

void FakeBroker::release() {
  on_thread([this] {
    std::erase_if(faults_, [](const Fault& fault) { return fault.kind == Fault::Kind::hold; });
    for (auto& arrived : std::exchange(held_, {})) handle(std::move(arrived));
  });
}

void FakeBroker::answer_next(MessageType type, Reply reply) {
  on_thread([&] { faults_.push_back(Fault{type, Fault::Kind::answer, std::move(reply)}); });
}

void FakeBroker::garble_next(MessageType type) {
  on_thread([&] { faults_.push_back(Fault{type, Fault::Kind::garble}); });
}

void FakeBroker::run(const TaskId& id) {
  on_thread([&] {
    tasks_.at(id).state = TaskState::running;
    publish_state(id, false);
  });
}

void FakeBroker::run_unpublished(const TaskId& id) {
  on_thread([&] { tasks_.at(id).state = TaskState::running; });
}

void FakeBroker::progress(const TaskId& id, double percent, const std::string& message) {
  on_thread([&] {
    tasks_.at(id).percent = percent;
    Events events;
    events.tasks.push_back(event_of(id));
    events.tasks[0].message = message;
    publish_now("progress." + tasks_.at(id).spec->tool + ".", events);
    publish_now(task_topic(id), events);
  });
}

void FakeBroker::finish(const TaskId& id, TaskState state, Payload report) {
  on_thread([&] {
    Task& task = tasks_.at(id);
    task.state = state;
    task.outcome.state = state;
    task.outcome.report = std::move(report);
    if (state != TaskState::success) task.outcome.reason = "as the test wanted";
    if (task.follower) {
      send(task.follower_session, *task.follower,
           Chunk{id, LogStream::out, task.log.size(), true, {}, task.attempt});
      task.follower.reset();
    }
    Done done;
    done.tasks.push_back(done_of(id));
    for (const SessionId session : std::exchange(task.waiters, {})) send(session, {}, done);
    publish_state(id, false);
  });
}

void FakeBroker::finish_workflow(const WorkflowId& id, std::uint32_t succeeded) {
  on_thread([&] {
    Done done;
    const auto total = static_cast<std::uint32_t>(workflows_.at(id).size());
    done.workflows.push_back(DoneWorkflow{id, total, succeeded});
    for (const SessionId session : workflow_waiters_[id]) send(session, {}, done);
  });
}

void FakeBroker::write_log(const TaskId& id, const std::string& text) {
  on_thread([&] {
    Task& task = tasks_.at(id);
    task.log += text;
    feed_log(id, task);
  });
}

void FakeBroker::try_again(const TaskId& id) {
  on_thread([&] {
    Task& task = tasks_.at(id);
    task.attempt = task.attempt.next();
    task.log.clear();
    task.follower_offset = 0;
  });
}

void FakeBroker::feed_log(const TaskId& id, Task& task) {
  if (!task.follower || task.follower_offset >= task.log.size()) return;
  const std::string data = task.log.substr(task.follower_offset);
  send(task.follower_session, *task.follower,
       Chunk{id, LogStream::out, task.follower_offset, false, Payload(std::string_view(data)),
             task.attempt});
  task.follower_offset = task.log.size();
}

void FakeBroker::add_task(const TaskId& id, const std::string& tool) {
  on_thread([&] {
    TaskSpec spec;
    spec.tool = tool;
    Task task;
    task.spec = std::make_shared<const TaskSpec>(std::move(spec));
    tasks_.emplace(id, std::move(task));
  });
}

void FakeBroker::heartbeat() {
  on_thread([this] {
    Events events;
    for (const auto& [topic, seq] : sequences_) events.positions.push_back({topic, seq});
    publish_now("heartbeat.", events);
  });
}

void FakeBroker::publish(const std::string& topic, Events events) {
  on_thread([&] { publish_now(topic, std::move(events)); });
}

void FakeBroker::say_bye(const std::string& reason) {
  on_thread([&] {
    for (const auto& [session, routing] : sessions_) send(session, {}, Bye{reason});
  });
}

TaskEvent FakeBroker::event_of(const TaskId& id) const {
  const Task& task = tasks_.at(id);
  TaskEvent event;
  event.id = id;
  event.state = task.state;
  event.attempt = task.state == TaskState::pending ? Attempt{} : Attempt{1};
  event.tool = task.spec->tool;
  event.script = task.spec->script;
  event.percent = task.percent;
  event.message = task.outcome.reason;
  return event;
}

DoneTask FakeBroker::done_of(const TaskId& id) const {
  const Task& task = tasks_.at(id);
  DoneTask done;
  done.attempt = AttemptKey{id, epoch_, Attempt{1}};
  done.outcome = task.outcome;
  done.worker = "fake-worker";
  return done;
}

void FakeBroker::publish_state(const TaskId& id, bool own_topic_only) {
  Events events;
  events.tasks.push_back(event_of(id));
  publish_now(task_topic(id), events);
  if (!own_topic_only) publish_now("task." + tasks_.at(id).spec->tool + ".", events);
}

void FakeBroker::publish_now(const std::string& topic, Events events) {
  events.epoch = epoch_;
  if (events.seq == 0) {
    std::uint64_t& sequence = sequences_[topic];
    events.prev_seq = sequence;
    events.seq = ++sequence;
  }
  xpub_->publish(protocol::encode_events(topic, events));
}

}  // namespace taskpipe::testing
