#include "tests/simulation/client_process.hpp"

#include <algorithm>
#include <utility>

#include "tests/simulation/overloaded.hpp"
#include "tests/simulation/packets.hpp"

namespace taskpipe::simulation {
namespace {

using namespace std::chrono_literals;

}  // namespace

ClientProcess::ClientProcess(World& world, NodeId node)
    : world_(world), node_(node), random_(world.random.fork()) {}

void ClientProcess::start() {
  if (running()) return;
  life_ = new_life();
  client::SessionConfig config;
  config.broker = "the broker";
  config.hello.user = "user" + std::to_string(node_);
  config.hello.uuid = PeerUuid(0xc, (std::uint64_t{node_} << 32U) + ++starts_);
  config.hello.incarnation = 1;
  config.hello.name = config.hello.user;
  config.hello.host = "desk";
  config.connect_timeout = 1h;  // its user is patient
  core_ = std::make_unique<client::SessionCore>(std::move(config), random_.next());
  effects_ = {};
  calls_.clear();
  inbox_.clear();
  socket_ = 0;
  wake_.reset();
  // What it wrote down is what it still wants to know.
  std::vector<TaskId> open;
  for (const auto& [id, page] : notebook_) {
    if (page.acknowledged && !page.ended) open.push_back(id);
  }
  wait_for(std::move(open));
}

void ClientProcess::kill() {
  if (!running()) return;
  ++world_.counters.client_kills;
  world_.network.close(socket_);
  life_.reset();
  core_.reset();
  // A submit without an answer may have been accepted.
  for (const auto& [id, call] : calls_) {
    if (!call.submits) continue;
    for (const TaskId& task : call.tasks) notebook_.at(task).doubtful = true;
  }
  calls_.clear();
  world_.scheduler.after(random_.scaled(100ms, 20s), [this] { start(); });
}

std::size_t ClientProcess::open() const {
  const auto tasks = std::count_if(notebook_.begin(), notebook_.end(), [](const auto& entry) {
    return entry.second.acknowledged && !entry.second.ended;
  });
  const auto submits = std::count_if(calls_.begin(), calls_.end(),
                                     [](const auto& entry) { return entry.second.submits; });
  return static_cast<std::size_t>(tasks + submits);
}

void ClientProcess::report_unanswered() {
  for (const auto& [id, call] : calls_) {
    for (const TaskId& task : call.tasks) {
      world_.record(fact::Unanswered{task, call.submits ? "submit" : "wait"});
    }
  }
}

client::CallId ClientProcess::begin(client::CallCommand command, Call call,
                                    std::optional<Millis> timeout) {
  const client::CallId id(++last_call_);
  call.begun = world_.scheduler.time();
  calls_[id] = std::move(call);
  core_->begin({id, std::move(command), timeout, false}, world_.scheduler.time(), effects_);
  wake_at(world_.scheduler.time());
  return id;
}

void ClientProcess::wait_for(std::vector<TaskId> ids) {
  if (ids.empty()) return;
  Call call{ids, {}, false, false};
  begin(client::command::AwaitTasks{std::move(ids)}, std::move(call), std::nullopt);
}

void ClientProcess::audit() {
  if (!running()) return;
  std::vector<TaskId> ids;
  for (const auto& [id, page] : notebook_) {
    if (page.acknowledged) ids.push_back(id);
  }
  // One by one: a wait for several fails as a whole when one is unknown.
  for (const TaskId& id : ids) wait_for({id});
}

void ClientProcess::receive(const Packet& packet) {
  if (!packet) return;
  inbox_.push_back(packet);
  wake_at(world_.scheduler.time());
}

void ClientProcess::wake_at(MonotonicTime when) {
  when = std::max(when, world_.scheduler.time());
  if (wake_ && *wake_ <= when) return;
  wake_ = when;
  world_.scheduler.at(when, life_, [this, when] {
    if (wake_ == when) turn();
  });
}

void ClientProcess::turn() {
  wake_.reset();
  const MonotonicTime now = world_.scheduler.time();
  for (const Packet& packet : std::exchange(inbox_, {})) {
    auto decoded = unpack(packet);
    if (!decoded) {
      world_.defect("a client cannot read a message: " + decoded.error().text);
      continue;
    }
    core_->on_message({decoded->header.session, decoded->header.correlation},
                      std::move(decoded->message), now, effects_);
  }
  core_->end_turn(now, effects_);
  carry_out(now);
  if (const auto deadline = core_->next_deadline()) wake_at(*deadline);
}

void ClientProcess::carry_out(MonotonicTime now) {
  while (effects_.socket != client::SocketChange::keep || !effects_.sends.empty() ||
         !effects_.deliveries.empty()) {
    client::Effects effects = std::exchange(effects_, client::Effects{});
    if (effects.socket != client::SocketChange::keep) {
      world_.network.close(std::exchange(socket_, 0));
      if (effects.socket == client::SocketChange::open) {
        socket_ = world_.network.open(node_, broker::Port::client,
                                      [this, watch = std::weak_ptr(life_)](const Packet& packet) {
                                        if (!watch.expired()) receive(packet);
                                      });
      }
    }
    for (const auto& outgoing : effects.sends) {
      auto packet = pack(outgoing.message, outgoing.correlation, outgoing.session,
                         outgoing.resend ? protocol::kFlagResend : std::uint16_t{0});
      if (!packet) {
        world_.defect("a client cannot encode a message: " + packet.error().text);
      } else if (!world_.network.send_from(socket_, std::move(*packet))) {
        core_->on_unsendable(now, effects_);
        break;
      }
    }
    for (auto& delivered : effects.deliveries) deliver(std::move(delivered));
  }
}

void ClientProcess::deliver(client::Delivered delivered) {
  const auto found = calls_.find(delivered.call);
  if (found == calls_.end()) return;
  Call& call = found->second;
  std::visit(
      Overloaded{
          [&](const client::delivery::TaskRefused& refused) {
            Page& page = notebook_.at(call.tasks[refused.index]);
            const bool unknown = refused.error.is(ErrorCode::unknown_task);  // of a run
            if (unknown) world_.record(fact::UnknownSeen{page.task.id, call.begun});
            const bool doubtful = unknown || refused.error.maybe_accepted.has_value();
            call.refused.insert(refused.index);
            world_.record(
                fact::Refused{page.task.id, doubtful || page.doubtful || page.acknowledged});
            page.refused = !doubtful && !page.doubtful && !page.acknowledged;
            page.doubtful = page.doubtful || doubtful;
          },
          [&](const client::delivery::TasksEnded& ended) {
            for (const auto& done : ended.tasks) {
              if (call.runs) on_accepted(done.attempt.task);
              on_end(done);
            }
          },
          [&](const client::delivery::Answered& answered) { on_answer(call, answered.reply); },
          [&](const client::delivery::Failed& failed) { on_failure(call, failed.error); },
          [](const auto&) {},
      },
      delivered.what);
  if (!delivered.last) return;
  const Call over = std::move(found->second);
  calls_.erase(found);
  if (over.submits && !std::holds_alternative<client::delivery::Failed>(delivered.what)) {
    on_submit_over(over);
  }
}

void ClientProcess::on_submit_over(const Call& call) {
  std::vector<TaskId> accepted;
  for (std::size_t i = 0; i < call.tasks.size(); ++i) {
    if (call.refused.contains(i)) continue;
    on_accepted(call.tasks[i]);
    if (!call.runs) accepted.push_back(call.tasks[i]);  // a run has been told the end
  }
  wait_for(std::move(accepted));
}

void ClientProcess::on_accepted(const TaskId& task) {
  Page& page = notebook_.at(task);
  if (std::exchange(page.acknowledged, true)) return;
  world_.record(fact::Acknowledged{task});
}

void ClientProcess::on_end(const DoneTask& done) {
  notebook_.at(done.attempt.task).ended = true;
  world_.record(fact::EndSeen{done.attempt.task, done.attempt, done.outcome.state,
                              done.outcome.failure, std::string(done.outcome.report.text())});
}

void ClientProcess::on_answer(const Call& call, const Message& reply) {
  if (const auto* rows = std::get_if<Rows>(&reply)) {
    for (const TaskId& id : rows->unknown) world_.record(fact::UnknownSeen{id, call.begun});
  } else if (const auto* ack = std::get_if<CancelAck>(&reply)) {
    for (const auto& item : ack->items) {
      if (item.code == ErrorCode::ok) world_.record(fact::CancelPromised{item.id, item.was_live});
      if (item.code == ErrorCode::unknown_task)
        world_.record(fact::UnknownSeen{item.id, call.begun});
    }
  }
}

void ClientProcess::on_failure(const Call& call, const ClientError& error) {
  if (call.submits) {
    const bool certain = error.failure == CallFailure::refused && !error.maybe_accepted;
    for (const TaskId& id : call.tasks) {
      Page& page = notebook_.at(id);
      const bool doubtful = !certain || page.doubtful || page.acknowledged;
      world_.record(fact::Refused{id, doubtful});
      page.refused = !doubtful;
      page.doubtful = page.doubtful || !certain;
    }
  } else if (!call.cancels && error.is(ErrorCode::unknown_task)) {
    if (call.tasks.size() == 1) world_.record(fact::UnknownSeen{call.tasks[0], call.begun});
    // Of several, one is unknown: find out which.
    if (call.tasks.size() > 1) {
      for (const TaskId& id : call.tasks) wait_for({id});
    }
  }
}

}  // namespace taskpipe::simulation
