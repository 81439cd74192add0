#include "tests/simulation/worker_process.hpp"

#include <algorithm>
#include <utility>

#include "common/model/limits.hpp"
#include "tests/simulation/packets.hpp"

namespace taskpipe::simulation {
namespace {

using namespace std::chrono_literals;

worker::WorkerConfig config_of(NodeId node, std::uint32_t slots, std::uint64_t incarnation) {
  worker::WorkerConfig config;
  config.uuid = PeerUuid(0x3, node);
  config.incarnation = incarnation;
  config.user = "worker";
  config.name = "node" + std::to_string(node);
  config.host = config.name;
  config.slots = slots;
  config.resources.cpus = slots;
  config.drain_timeout = 5s;
  if (node % 2 == 0) config.on_broker_lost = worker::OnBrokerLost::stop;
  for (const Tool& tool : kTools) {
    ToolOffer offer;
    offer.name = tool.name;
    config.tools.push_back({std::move(offer), tool.kind});
  }
  return config;
}

}  // namespace

WorkerProcess::WorkerProcess(World& world, NodeId node, std::uint32_t slots)
    : world_(world), node_(node), slots_(slots), random_(world.random.fork()) {}

void WorkerProcess::start() {
  if (running() || retired_) return;
  life_ = new_life();
  core_ = std::make_unique<worker::WorkerCore>(config_of(node_, slots_, ++incarnation_));
  effects_.clear();
  paused_until_ = {};
  wake_.reset();
  worker::command::SpoolLoaded loaded;
  for (const auto& [key, item] : spool_) loaded.results.push_back(item);
  post(std::move(loaded));
}

void WorkerProcess::start_later() {
  world_.scheduler.after(random_.scaled(10ms, 40s), [this] { start(); });
}

void WorkerProcess::end(bool silently) {
  if (silently) {
    world_.network.vanish(socket_);
  } else {
    world_.network.close(socket_);
  }
  socket_ = 0;
  life_.reset();
  core_.reset();
  inbox_.clear();
  executions_.clear();
  world_.record(fact::NodeDied{node_});
  start_later();
}

void WorkerProcess::kill() {
  if (!running()) return;
  ++world_.counters.worker_kills;
  world_.tell("worker", std::to_string(node_) + " killed");
  end();
}

// What was spooled for certain is there when it is back: files and folder are synced before
// SpoolStored is said.
void WorkerProcess::vanish() {
  if (!running()) return;
  ++world_.counters.worker_kills;
  world_.tell("worker", std::to_string(node_) + " lost power");
  end(/*silently=*/true);
}

void WorkerProcess::retire() {
  retired_ = true;
  kill();
}

void WorkerProcess::pause(Nanos duration) {
  if (!running()) return;
  ++world_.counters.worker_pauses;
  world_.tell("worker", std::to_string(node_) + " paused");
  paused_until_ = std::max(paused_until_, world_.scheduler.time() + duration);
}

void WorkerProcess::drain() {
  if (!running()) return;
  ++world_.counters.worker_drains;
  post(worker::command::StopRequested{});
}

void WorkerProcess::receive(const Packet& packet) {
  if (!packet) return;
  auto decoded = unpack(packet);
  if (!decoded) return world_.defect("a worker cannot read a message: " + decoded.error().text);
  if (std::holds_alternative<Recall>(decoded->message)) ++world_.counters.recalls;
  post(worker::command::MessageReceived{decoded->header.session, decoded->header.correlation,
                                        std::move(decoded->message)});
}

void WorkerProcess::post(worker::Command command) {
  inbox_.push_back(std::move(command));
  wake_at(world_.scheduler.time());
}

void WorkerProcess::wake_at(MonotonicTime when) {
  when = std::max({when, paused_until_, world_.scheduler.time()});
  if (wake_ && *wake_ <= when) return;
  wake_ = when;
  world_.scheduler.at(when, life_, [this, when] {
    if (wake_ == when) turn();
  });
}

void WorkerProcess::turn() {
  wake_.reset();
  const Now now = world_.scheduler.now();
  if (now.monotonic < paused_until_) return wake_at(paused_until_);
  const std::vector<worker::Command> commands = std::exchange(inbox_, {});
  for (const auto& one : commands) {
    core_->apply(one, now, effects_);
    core_->check_invariants();
  }
  core_->apply(worker::command::TurnEnded{}, now, effects_);
  core_->check_invariants();
  carry_out(now);
  if (!running()) return;
  if (const auto deadline = core_->next_deadline()) wake_at(*deadline);
}

void WorkerProcess::carry_out(const Now& now) {
  worker::Effects effects = std::exchange(effects_, {});
  for (auto& store : effects.stores) {
    world_.scheduler.after(random_.scaled(100us, 100ms), life_, [this, item = store.result] {
      spool_[item.attempt] = item;
      post(worker::command::SpoolStored{item.attempt, true});
    });
  }
  for (const auto& drop : effects.drops) spool_.erase(drop.attempt);
  for (const auto& one : effects.stops) stop(one);
  for (const auto& one : effects.starts) begin(one);
  for (const auto& read : effects.log_reads) {
    Chunk chunk;
    chunk.task = read.fetch.task;
    chunk.offset = read.fetch.offset;
    chunk.attempt = read.fetch.attempt;
    chunk.eof = true;
    post(worker::command::LogRead{read.session, read.correlation, chunk});
  }
  for (const auto& send : effects.sends) {
    auto packet = pack(send.message, send.correlation, send.session,
                       send.resend ? protocol::kFlagResend : std::uint16_t{0});
    if (!packet) {
      world_.defect("a worker cannot encode a message: " + packet.error().text);
    } else if (!world_.network.send_from(socket_, std::move(*packet))) {
      core_->apply(worker::command::LinkUnwritable{}, now, effects_);
      wake_at(now.monotonic);
      break;  // the session is over; what follows belonged to it
    }
  }
  if (effects.reset_link) open_link();
  if (!effects_.sends.empty() || effects_.reset_link || effects_.exit) wake_at(now.monotonic);
  if (effects.exit) {
    world_.tell("worker", std::to_string(node_) + " ends: " + effects.exit->reason);
    end();
  }
}

void WorkerProcess::open_link() {
  world_.network.close(socket_);
  socket_ = world_.network.open(node_, broker::Port::worker,
                                [this, watch = std::weak_ptr(life_)](const Packet& packet) {
                                  if (!watch.expired()) receive(packet);
                                });
}

void WorkerProcess::begin(const worker::Start& start) {
  const Plan plan = plan_of(tool_named(start.spec->tool), start.attempt);
  Execution& execution = executions_[start.attempt];
  execution.kind = start.kind;
  execution.life = new_life();
  world_.record(fact::Began{start.attempt, node_});
  const Nanos spawn =
      start.kind == worker::AttemptKind::process ? random_.between(1ms, 10ms) : Nanos(0);
  const bool announced = start.kind == worker::AttemptKind::process ||
                         plan.duration > Millis(limits::kHandlerAnnounceMs);
  if (announced) {
    world_.scheduler.after(spawn, execution.life, [this, key = start.attempt] {
      post(worker::command::AttemptStarted{key, 1000});
    });
  }
  if (world_.poison && is_poisonous(start.spec->tool, start.attempt.task)) {
    world_.scheduler.after(spawn + plan.duration / 2, execution.life,
                           [this, key = start.attempt] { die_of(key); });
    return;
  }
  world_.scheduler.after(
      spawn + plan.duration, execution.life,
      [this, key = start.attempt, outcome = plan.outcome] { finish(key, outcome); });
}

void WorkerProcess::die_of(const AttemptKey& attempt) {
  const Life last = executions_.at(attempt).life;  // this very event belongs to it
  ++world_.counters.poisoned_workers;
  world_.record(fact::Killed{attempt});
  world_.tell("worker", std::to_string(node_) + " killed by what it ran");
  end();
}

void WorkerProcess::stop(const worker::Stop& stop) {
  const auto found = executions_.find(stop.attempt);
  if (found == executions_.end() || std::exchange(found->second.stopping, true)) return;
  found->second.life = new_life();  // its own end is not reached any more
  Outcome outcome;
  outcome.state = TaskState::cancelled;
  outcome.failure = FailureClass::cancelled;
  outcome.reason = "stopped";
  const Nanos grace = std::min<Nanos>(stop.grace, 5s);
  world_.scheduler.after(random_.between(Nanos(0), grace), found->second.life,
                         [this, key = stop.attempt, outcome] { finish(key, outcome); });
}

void WorkerProcess::finish(const AttemptKey& attempt, Outcome outcome) {
  world_.record(fact::Ran{attempt, outcome.state, std::string(outcome.report.text())});
  const Life last = executions_.at(attempt).life;  // this very event belongs to it
  executions_.erase(attempt);
  post(worker::command::AttemptEnded{attempt, std::move(outcome)});
}

}  // namespace taskpipe::simulation
