// How the fake broker answers messages.
#include <algorithm>
#include <utility>

#include "common/model/limits.hpp"
#include "tests/support/fake_broker.hpp"

namespace taskpipe::testing {

void FakeBroker::receive() {
  net::ReceivedMessage received;
  while (router_->receive(received)) {
    if (received.is_probe()) {
      const auto who = protocol::encode(Who{epoch_}, Correlation{}, SessionId{});
      (void)router_->send(received.routing, *who);
      continue;
    }
    auto decoded = protocol::decode(received.frames());
    if (!decoded) continue;
    ++seen_[protocol::type_code(decoded->message)];
    if ((decoded->header.flags & protocol::kFlagResend) != 0) ++resends_;
    Arrived arrived{received.routing, std::move(*decoded)};
    if (!misbehave(arrived)) handle(std::move(arrived));
  }
}

void FakeBroker::receive_subscriptions() {
  net::XpubSocket::Subscription subscription;
  while (xpub_->receive(subscription)) {
    if (!subscription.added) {
      subscriptions_.erase(subscription.topic);
      continue;
    }
    subscriptions_.insert(subscription.topic);
    for (const auto& [id, task] : tasks_) {
      if (subscription.topic == "id." + id.to_string() + ".") publish_state(id, true);
    }
  }
}

bool FakeBroker::misbehave(Arrived& arrived) {
  const MessageType type = protocol::type_code(arrived.decoded.message);
  const auto fault = std::find_if(faults_.begin(), faults_.end(),
                                  [type](const Fault& f) { return f.type == type; });
  if (fault == faults_.end()) return false;
  switch (fault->kind) {
    case Fault::Kind::hold: held_.push_back(std::move(arrived)); return true;
    case Fault::Kind::drop: faults_.erase(fault); return true;
    case Fault::Kind::garble:
      faults_.erase(fault);
      garble_ = true;
      return false;
    case Fault::Kind::answer: break;
  }
  const Reply reply = std::move(fault->reply);
  faults_.erase(fault);
  auto message = reply(arrived.decoded.message);
  if (!message) return false;
  answer(arrived, std::move(*message));
  return true;
}

struct FakeBroker::Handle {
  FakeBroker& broker;
  const Arrived& arrived;

  [[nodiscard]] SessionId session() const { return arrived.decoded.header.session; }
  void reply(Message message) const { broker.answer(arrived, std::move(message)); }

  void operator()(const Hello& hello) const {
    const SessionId fresh{++broker.last_session_ + broker.epoch_.value() * 1000};
    broker.sessions_[fresh] = arrived.routing;
    Welcome welcome;
    welcome.version = hello.version_max;
    welcome.session = fresh;
    welcome.broker = BrokerUuid(1, 2);
    welcome.epoch = broker.epoch_;
    welcome.heartbeat_ms = kHeartbeatMs;
    welcome.lease_ms = kLeaseMs;
    welcome.max_message_bytes = limits::kMaxFrameBytes;
    welcome.max_batch_items = limits::kMaxBatchItems;
    welcome.messages_total = limits::kClientWindowItems;
    welcome.bytes_total = limits::kClientWindowBytes;
    welcome.event_endpoint = broker.event_endpoint_;
    reply(welcome);
  }
  void operator()(const Ping& ping) const { reply(Pong{ping.t, broker.epoch_}); }
  void operator()(const Bye&) const { broker.sessions_.erase(session()); }

  void store(const SubmitItem& item, const std::vector<TaskSpecPtr>& specs) const {
    Task task;
    task.spec = specs.at(item.spec);
    task.params = item.params;
    task.params_hash = item.params_hash;
    broker.tasks_.try_emplace(item.id, std::move(task));
  }
  void operator()(const Submit& submit) const {
    SubmitAck ack;
    for (const auto& item : submit.items) {
      const auto known = broker.tasks_.find(item.id);
      const bool conflict =
          known != broker.tasks_.end() && known->second.params_hash != item.params_hash;
      if (!conflict) store(item, submit.specs);
      ack.items.push_back({item.id, conflict ? ErrorCode::id_conflict : ErrorCode::ok});
    }
    std::uint64_t& received = broker.received_items_[session()];
    received += submit.items.size();
    ack.messages_total = received + limits::kClientWindowItems;
    ack.bytes_total = limits::kClientWindowBytes * 2;
    ack.waits = submit.wait && broker.knows_wait_;
    reply(ack);
    if (!ack.waits) return;
    Wait wait;
    for (const auto& item : ack.items) {
      if (item.code == ErrorCode::ok) wait.tasks.push_back(item.id);
    }
    (*this)(wait);
  }
  void operator()(const SubmitWorkflow& part) const {
    auto& members = broker.workflows_[part.id];
    if (part.first_index == 0) members.clear();
    for (const auto& item : part.items) {
      store(item, part.specs);
      members.push_back(item.id);
    }
    reply(WorkflowAck{part.id, static_cast<std::uint32_t>(members.size()), {}});
  }
  void operator()(const Wait& wait) const {
    Done done;
    for (const TaskId& id : wait.tasks) {
      const auto found = broker.tasks_.find(id);
      if (found == broker.tasks_.end()) {
        done.unknown.push_back(id);
      } else if (is_terminal(found->second.state)) {
        done.tasks.push_back(broker.done_of(id));
      } else {
        found->second.waiters.insert(session());
      }
    }
    for (const WorkflowId& id : wait.workflows) {
      if (broker.workflows_.count(id) == 0) {
        done.unknown_workflows.push_back(id);
      } else {
        broker.workflow_waiters_[id].insert(session());
      }
    }
    if (!(done == Done{})) reply(done);
  }

  [[nodiscard]] TaskRow row_of(const TaskId& id) const {
    const TaskEvent event = broker.event_of(id);
    TaskRow row;
    row.id = id;
    row.owner = "tester";
    row.tool = event.tool;
    row.script = event.script;
    row.state = event.state;
    row.attempt = event.attempt;
    row.progress_percent = event.percent;
    row.message = event.message;
    return row;
  }
  void operator()(const Query& query) const {
    Rows rows;
    for (const TaskId& id : query.filter.tasks) {
      if (const auto task = broker.tasks_.find(id); task != broker.tasks_.end()) {
        rows.rows.push_back(row_of(id));
        if (query.with_params) rows.rows.back().params = task->second.params;
      } else {
        rows.unknown.push_back(id);
      }
    }
    if (query.filter.tasks.empty()) list(query, rows);
    reply(rows);
  }
  // Pages in the order of ids; the cursor is the last id seen.
  void list(const Query& query, Rows& rows) const {
    const auto after = TaskId::parse(query.cursor);
    auto task = after ? broker.tasks_.upper_bound(*after) : broker.tasks_.begin();
    for (; task != broker.tasks_.end() && rows.rows.size() < query.limit; ++task) {
      const auto& filter = query.filter;
      if (!filter.tool.empty() && task->second.spec->tool != filter.tool) continue;
      rows.rows.push_back(row_of(task->first));
    }
    if (task != broker.tasks_.end()) rows.next = rows.rows.back().id.to_string();
  }
  void operator()(const Cancel& cancel) const {
    CancelAck ack;
    std::vector<TaskId> ids = cancel.tasks;
    for (const WorkflowId& workflow : cancel.workflows) {
      for (const TaskId& id : broker.workflows_[workflow]) ids.push_back(id);
    }
    for (const TaskId& id : ids) {
      const auto found = broker.tasks_.find(id);
      const bool known = found != broker.tasks_.end();
      const bool live = known && !is_terminal(found->second.state);
      if (live) found->second.state = found->second.outcome.state = TaskState::cancelled;
      ack.items.push_back({id, known ? ErrorCode::ok : ErrorCode::unknown_task, live});
    }
    reply(ack);
  }
  void operator()(const Fetch& fetch) const {
    const auto found = broker.tasks_.find(fetch.task);
    if (found == broker.tasks_.end()) {
      reply(ErrorReply{Error{ErrorCode::unknown_task, "no such task", "task_id"}});
      return;
    }
    Task& task = found->second;
    if (fetch.follow && !is_terminal(task.state)) {
      task.follower = arrived.decoded.header.correlation;
      task.follower_session = session();
      task.follower_offset = fetch.offset;
      broker.feed_log(fetch.task, task);
      return;
    }
    const std::uint64_t from = std::min<std::uint64_t>(fetch.offset, task.log.size());
    const std::string data = task.log.substr(from, limits::kMaxLogChunkBytes);
    const bool eof = is_terminal(task.state) && from + data.size() == task.log.size();
    reply(
        Chunk{fetch.task, fetch.stream, from, eof, Payload(std::string_view(data)), task.attempt});
  }
  void operator()(const ToolsRequest&) const {
    ToolsReply tools;
    tools.tools.resize(1);
    tools.tools[0].offer.name = "shell";
    tools.tools[0].workers = 1;
    reply(tools);
  }
  void operator()(const WorkersRequest&) const {
    WorkersReply workers;
    workers.workers.resize(1);
    workers.workers[0].name = "fake-worker";
    reply(workers);
  }
  void operator()(const HealthRequest&) const {
    HealthReply health;
    health.healthy = true;
    health.version = "fake";
    health.epoch = broker.epoch_;
    reply(health);
  }
  template <class Other>
  void operator()(const Other&) const {}
};

void FakeBroker::handle(Arrived&& arrived) {
  const SessionId session = arrived.decoded.header.session;
  const bool greeting = std::holds_alternative<Hello>(arrived.decoded.message);
  const auto known = sessions_.find(session);
  if (!greeting && (known == sessions_.end() || known->second != arrived.routing)) {
    const auto who = protocol::encode(Who{epoch_}, Correlation{}, SessionId{});
    (void)router_->send(arrived.routing, *who);
    return;
  }
  std::visit(Handle{*this, arrived}, arrived.decoded.message);
}

void FakeBroker::answer(const Arrived& to, Message message) {
  SessionId session = to.decoded.header.session;
  if (const auto* welcome = std::get_if<Welcome>(&message)) session = welcome->session;
  auto encoded = protocol::encode(message, to.decoded.header.correlation, session);
  if (!encoded) return;
  if (std::exchange(garble_, false)) encoded->body.resize(encoded->body.size() / 2);
  (void)router_->send(to.routing, *encoded);
}

void FakeBroker::send(SessionId session, Correlation correlation, Message message) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const auto encoded = protocol::encode(message, correlation, session);
  if (encoded) (void)router_->send(found->second, *encoded);
}

}  // namespace taskpipe::testing
