#include "tests/simulation/broker_process.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "broker/shell/stall.hpp"
#include "common/model/limits.hpp"
#include "tests/simulation/overloaded.hpp"
#include "tests/simulation/packets.hpp"

namespace taskpipe::simulation {
namespace {

using namespace std::chrono_literals;

constexpr const char* kFolder = "/data";
constexpr std::size_t kMostPerTurn = 256;
constexpr Nanos kTendingInterval = 20ms;
// Few, so that what has ended together enters the history in parts.
constexpr std::size_t kHistoryBatches = 2;  // that wait at a time
constexpr std::size_t kHistoryBatchTasks = 16;
constexpr BrokerUuid kBroker(0xb, 0xb);
// Beyond that many tasks the invariants are looked at once per turn.
constexpr std::size_t kFewTasks = 64;

}  // namespace

BrokerProcess::BrokerProcess(World& world, broker::BrokerConfig config)
    : world_(world), config_(std::move(config)), random_(world.random.fork()) {}

void BrokerProcess::start() {
  if (running()) return;
  if (disk_.is_off()) disk_.restore_power(random_.next());
  broker::SegmentLogOptions options;
  options.folder = kFolder;
  options.segment_bytes = limits::kMinSegmentBytes;  // many rotations, much carrying forward
  options.seed = ++starts_;
  static_cast<void>(disk_.make_folder(kFolder));
  auto core = std::make_unique<broker::BrokerCore>(config_);
  auto journal = testing::SteppedJournal::open(
      disk_, options, [&core](Lsn lsn, broker::Record&& record) { core->replay(record, lsn); });
  if (!journal) {
    // A disk that fails or is full may; anything else is a journal that does not know itself.
    if (!disk_.is_off() && journal.error().code != ErrorCode::storage) {
      world_.defect("the broker cannot start: " + journal.error().text);
    }
    world_.tell("broker", "cannot start: " + journal.error().text);
    return restart_later();
  }
  const auto& recovery = (*journal)->recovery();
  world_.counters.records_cut += recovery.cut_records;
  if (history_.watermark() > recovery.last) {
    world_.defect(
        "the history is ahead of the journal: " + std::to_string(history_.watermark().value()) +
        " > " + std::to_string(recovery.last.value()));
  }
  life_ = new_life();
  core_ = std::move(core);
  journal_ = std::move(*journal);
  gate_ = {};
  tender_ = {};
  effects_.clear();
  paused_until_ = {};
  allowed_.reset();
  committing_ = storing_ = false;
  wake_.reset();
  core_->start(recovery.highest_epoch.next(), kBroker,
               {history_.watermark(), history_.last_arrival()}, world_.scheduler.now(), effects_);
  world_.tell("broker", "epoch " + std::to_string(core_->epoch().value()) + ", " +
                            std::to_string(core_->tasks_held()) + " tasks, cut " +
                            std::to_string(recovery.cut_records));
  carry_out();
  if (!running()) return;
  journal_->step();  // the epoch is durable before anybody may connect
  if (journal_->failure()) return fail(journal_->failure()->text);
  world_.network.broker_up(
      [this](const broker::Peer& peer, const Packet& packet) { receive(peer, packet); });
  wake_at(world_.scheduler.time());
}

void BrokerProcess::restart_later() {
  world_.scheduler.after(random_.scaled(10ms, 20s), [this] { start(); });
}

void BrokerProcess::end(bool silently) {
  world_.network.broker_down(silently);
  life_.reset();
  core_.reset();
  journal_.reset();
  inbox_.clear();
  news_.clear();
  to_store_.clear();
}

void BrokerProcess::kill() {
  if (!running()) return;
  ++world_.counters.broker_kills;
  world_.tell("broker", "killed");
  end(false);
  restart_later();
}

void BrokerProcess::lose_power() {
  if (!running()) return;
  ++world_.counters.power_losses;
  world_.tell("broker", "power lost");
  disk_.cut_power_now();
  end(true);
  restart_later();
}

void BrokerProcess::fail(const std::string& why) {
  world_.tell("broker", "ends: " + why);
  if (disk_.is_off()) ++world_.counters.power_losses;
  end(disk_.is_off());
  restart_later();
}

void BrokerProcess::fail_disk(std::uint64_t after_operations, int code) {
  ++world_.counters.disk_faults;
  disk_.fail_at(disk_.operations() + after_operations, code);
}

void BrokerProcess::cut_power_in(std::uint64_t operations) {
  disk_.cut_power_at(disk_.operations() + operations);
}

std::uint64_t BrokerProcess::disk_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& path : disk_.paths()) bytes += disk_.contents(path).size();
  return bytes;
}

void BrokerProcess::stall_disk(Nanos duration) {
  disk_stalled_until_ = world_.scheduler.time() + duration;
}

void BrokerProcess::pause(Nanos duration) {
  if (!running()) return;
  ++world_.counters.broker_pauses;
  world_.tell("broker", "paused");
  paused_until_ = std::max(paused_until_, world_.scheduler.time() + duration);
  wake_at(paused_until_);
}

void BrokerProcess::receive(const broker::Peer& peer, const Packet& packet) {
  if (!packet) {
    inbox_.push_back(broker::command::PeerProbed{peer});
  } else {
    auto decoded = unpack(packet);
    if (!decoded) {
      world_.defect("the broker cannot read a message: " + decoded.error().text);
      return;
    }
    inbox_.push_back(broker::command::MessageReceived{
        peer, decoded->header.session, decoded->header.correlation,
        (decoded->header.flags & protocol::kFlagResend) != 0, std::move(decoded->message)});
  }
  wake_at(world_.scheduler.time());
}

void BrokerProcess::wake_at(MonotonicTime when) {
  when = std::max({when, paused_until_, world_.scheduler.time()});
  if (wake_ && *wake_ <= when) return;
  wake_ = when;
  world_.scheduler.at(when, life_, [this, when] {
    if (wake_ == when) turn();
  });
}

void BrokerProcess::turn() {
  wake_.reset();
  const Now now = world_.scheduler.now();
  if (now.monotonic < paused_until_) return wake_at(paused_until_);
  if (before_.monotonic > MonotonicTime{} && allowed_) {
    if (const auto stalled = broker::stall_between(before_, allowed_, now)) apply(*stalled, now);
  }
  before_ = now;
  std::vector<broker::Command> commands = std::exchange(news_, {});
  for (std::size_t i = 0; i < kMostPerTurn && !inbox_.empty(); ++i) {
    commands.push_back(std::move(inbox_.front()));
    inbox_.pop_front();
  }
  for (auto& one : commands) {
    apply(std::move(one), now);
    if (!running()) return;
  }
  if (to_store_.size() < kHistoryBatches) {
    apply(broker::command::HistoryReady{journal_->synced(), kHistoryBatchTasks}, now);
  }
  apply(broker::command::TurnEnded{}, now);
  if (!running()) return;
  carry_out();
  if (!running()) return;
  release_durable();
  if (now.monotonic - tended_ >= kTendingInterval) {
    tended_ = now.monotonic;
    tender_.look(journal_->usage(), *core_, news_);
  }
  if (!inbox_.empty() || !news_.empty()) {
    allowed_ = Millis(0);
    return wake_at(now.monotonic + 10us);
  }
  const auto deadline = core_->next_deadline();
  allowed_.reset();
  if (!deadline) return;
  allowed_ = std::chrono::ceil<Millis>(std::max(*deadline - now.monotonic, Nanos(0)));
  wake_at(now.monotonic + *allowed_);
}

void BrokerProcess::apply(broker::Command what, const Now& now) {
  const bool ends_turn = std::holds_alternative<broker::command::TurnEnded>(what);
  ++world_.counters.commands;
  core_->apply(std::move(what), now, effects_);
  if (!ends_turn && core_->tasks_held() > kFewTasks) return;
  if (const auto broken = core_->check_invariants()) {
    world_.defect("a broken invariant: " + *broken);
  }
}

void BrokerProcess::carry_out() {
  if (!effects_.records.empty()) {
    journal_->append(core_->epoch(), effects_.first_lsn, effects_.records);
    if (journal_->failure()) return fail(journal_->failure()->text);
    schedule_commit();
  }
  gate_.take(effects_, [this](broker::DurabilityGate::Outbound what) { deliver(std::move(what)); });
  for (auto& lookup : effects_.lookups) look_up(lookup);
  if (effects_.archive) to_store_.push_back(std::move(*effects_.archive));
  effects_.clear();
  store_next();
}

void BrokerProcess::release_durable() {
  const Lsn durable = journal_->durable();
  gate_.release(durable,
                [this](broker::DurabilityGate::Outbound what) { deliver(std::move(what)); });
  if (const auto below = tender_.releasable(durable)) {
    ++world_.counters.segments_released;
    journal_->release_before(*below);
    schedule_commit();
  }
}

void BrokerProcess::deliver(broker::DurabilityGate::Outbound what) {
  const auto* send = std::get_if<broker::Send>(&what);
  if (send == nullptr) return;  // nobody subscribes here
  auto packet = pack(send->message, send->correlation, send->session);
  if (!packet) {
    world_.defect("the broker cannot encode a message: " + packet.error().text);
    return;
  }
  if (!world_.network.send_to(send->to, std::move(*packet))) {
    news_.push_back(broker::command::PeerUnreachable{send->to});
    wake_at(world_.scheduler.time());
  }
}

void BrokerProcess::schedule_commit() {
  if (std::exchange(committing_, true)) return;
  const MonotonicTime due =
      std::max(world_.scheduler.time() + random_.scaled(100us, 10ms), disk_stalled_until_);
  world_.scheduler.at(due, life_, [this] { commit(); });
}

void BrokerProcess::commit() {
  // The commit thread of a stopped process stands still as well.
  if (world_.scheduler.time() < paused_until_) {
    return world_.scheduler.at(paused_until_, life_, [this] { commit(); });
  }
  committing_ = false;
  journal_->step();
  if (journal_->failure()) return fail(journal_->failure()->text);
  if (journal_->durable() < journal_->appended()) schedule_commit();
  wake_at(world_.scheduler.time());
}

void BrokerProcess::look_up(const broker::HistoryLookup& lookup) {
  world_.scheduler.after(random_.scaled(100us, 100ms), life_, [this, lookup] { answer(lookup); });
}

void BrokerProcess::answer(const broker::HistoryLookup& lookup) {
  broker::command::LookupAnswered answered;
  answered.ticket = lookup.ticket;
  std::visit(Overloaded{[&](const broker::HistoryLookup::Tasks& tasks) {
                          answered.tasks = history_.find_tasks(tasks.ids);
                        },
                        [&](const broker::HistoryLookup::Workflows& workflows) {
                          answered.workflows = history_.find_workflows(workflows.ids);
                        },
                        [&](const broker::HistoryLookup::Listing& listing) {
                          auto page = history_.list(listing.owner, listing.filter, listing.cursor,
                                                    listing.limit);
                          answered.tasks = std::move(page.tasks);
                          answered.next = std::move(page.next);
                        }},
             lookup.what);
  news_.push_back(std::move(answered));
  wake_at(world_.scheduler.time());
}

void BrokerProcess::store_next() {
  if (to_store_.empty() || std::exchange(storing_, true)) return;
  world_.scheduler.after(random_.scaled(1ms, 1s), life_, [this] {
    storing_ = false;
    const broker::HistoryBatch batch = std::move(to_store_.front());
    to_store_.pop_front();
    history_.store(batch.tasks, batch.workflows, batch.watermark);
    history_.add_late(batch.late);
    news_.push_back(broker::command::HistoryCommitted{batch.watermark});
    wake_at(world_.scheduler.time());
    store_next();
  });
}

}  // namespace taskpipe::simulation
