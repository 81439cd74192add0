#include "tests/simulation/faults.hpp"

#include <cerrno>
#include <limits>
#include <utility>

namespace taskpipe::simulation {
namespace {

using namespace std::chrono_literals;

constexpr Nanos kLeastPause = 200ms;  // between two strikes
constexpr Nanos kMostPause = 30s;

}  // namespace

Faults::Faults(Parts parts, Weather weather, MonotonicTime end)
    : parts_(std::move(parts)), weather_(weather), end_(end), random_(parts_.world.random.fork()) {
  const auto add = [this](Weather kind, std::initializer_list<void (Faults::*)()> strikes) {
    const bool wanted = kind == weather_ || (weather_ == Weather::storm && kind != Weather::relay);
    if (wanted) kinds_.insert(kinds_.end(), strikes);
  };
  add(Weather::crashes,
      {&Faults::kill_broker, &Faults::cut_power, &Faults::kill_worker, &Faults::cut_power_of_worker,
       &Faults::lose_worker, &Faults::drain_worker, &Faults::kill_client});
  add(Weather::network, {&Faults::partition, &Faults::partition, &Faults::reset});
  add(Weather::disk, {&Faults::fail_disk, &Faults::fill_disk, &Faults::cut_power_mid_write});
  add(Weather::pauses,
      {&Faults::pause_broker, &Faults::pause_worker, &Faults::stall_disk, &Faults::step_clock});
  add(Weather::relay, {&Faults::disturb_messages});
}

void Faults::start() {
  if (!kinds_.empty()) strike_later();
}

void Faults::strike_later() {
  parts_.world.scheduler.after(random_.scaled(kLeastPause, kMostPause), [this] {
    if (parts_.world.scheduler.time() >= end_) return;
    strike();
    strike_later();
  });
}

void Faults::strike() { (this->*kinds_[random_.below(kinds_.size())])(); }

void Faults::heal() {
  Network& network = parts_.world.network;
  for (NodeId node = 1; node <= parts_.workers.size(); ++node) {
    for (const auto direction : {Direction::to_broker, Direction::to_peer}) {
      network.unblock(node, direction, random_.chance(500));
    }
  }
  for (NodeId i = 0; i < parts_.clients.size(); ++i) {
    for (const auto direction : {Direction::to_broker, Direction::to_peer}) {
      network.unblock(kFirstClientNode + i, direction, random_.chance(500));
    }
  }
  parts_.broker.set_disk_capacity(std::numeric_limits<std::uint64_t>::max());
  if (weather_ != Weather::relay) return;
  // Connections that went through the relay do not outlive it.
  network.set_quality({});
  network.reset_all();
}

void Faults::kill_broker() { parts_.broker.kill(); }

// Also while the disk hangs, so that much is under way that is not durable.
void Faults::cut_power() {
  if (random_.chance(500)) return parts_.broker.lose_power();
  const Nanos hanging = random_.scaled(10ms, 5s);
  parts_.broker.stall_disk(2 * hanging);
  parts_.world.scheduler.after(hanging, [this] { parts_.broker.lose_power(); });
}

void Faults::kill_worker() { any_worker().kill(); }
void Faults::cut_power_of_worker() { any_worker().vanish(); }

// One of several never comes back: what it held must go to others, and waits for nobody.
void Faults::lose_worker() {
  if (parts_.workers.size() < 2 || std::exchange(worker_lost_, true)) return;
  parts_.workers.front()->retire();
}

void Faults::drain_worker() { any_worker().drain(); }
void Faults::kill_client() { parts_.clients[random_.below(parts_.clients.size())]->kill(); }

void Faults::partition() {
  const bool of_worker = random_.chance(700);
  const NodeId node =
      of_worker ? static_cast<NodeId>(random_.between(1, parts_.workers.size()))
                : kFirstClientNode + static_cast<NodeId>(random_.below(parts_.clients.size()));
  const std::uint64_t which = random_.below(3);
  Network& network = parts_.world.network;
  parts_.world.tell("network", "partition of node " + std::to_string(node));
  const Nanos duration = random_.scaled(50ms, 60s);
  const bool broken = random_.chance(400);
  for (const auto direction : {Direction::to_broker, Direction::to_peer}) {
    if (which != 2 && which != static_cast<std::uint64_t>(direction)) continue;
    network.block(node, direction);
    parts_.world.scheduler.after(duration, [&network, node, direction, broken] {
      network.unblock(node, direction, broken);
    });
  }
}

void Faults::reset() {
  if (random_.chance(200)) return parts_.world.network.reset_all();
  parts_.world.network.reset(static_cast<NodeId>(random_.between(1, parts_.workers.size())));
}

void Faults::fail_disk() {
  const int code = random_.chance(500) ? EIO : ENOSPC;  // drawn first: the order must be fixed
  parts_.broker.fail_disk(random_.below(40), code);
}

void Faults::fill_disk() {
  ++parts_.world.counters.full_disks;
  parts_.broker.set_disk_capacity(parts_.broker.disk_bytes() + random_.below(64U << 10U));
  parts_.world.scheduler.after(random_.scaled(100ms, 40s), [this] {
    parts_.broker.set_disk_capacity(std::numeric_limits<std::uint64_t>::max());
  });
}

void Faults::cut_power_mid_write() { parts_.broker.cut_power_in(random_.below(60)); }

void Faults::pause_broker() { parts_.broker.pause(random_.scaled(100ms, 60s)); }
void Faults::pause_worker() { any_worker().pause(random_.scaled(100ms, 60s)); }
void Faults::stall_disk() { parts_.broker.stall_disk(random_.scaled(100ms, 20s)); }

void Faults::step_clock() {
  ++parts_.world.counters.clock_steps;
  const auto day = static_cast<std::int64_t>(std::chrono::milliseconds(24h).count());
  parts_.world.scheduler.step_wall(
      Millis(static_cast<std::int64_t>(random_.below(2 * static_cast<std::uint64_t>(day))) - day));
}

void Faults::disturb_messages() {
  LinkQuality quality;
  quality.most_delay = random_.scaled(2ms, 500ms);
  quality.lose = random_.below(50);
  quality.duplicate = random_.below(100);
  quality.reorder = random_.below(200);
  parts_.world.network.set_quality(quality);
}

}  // namespace taskpipe::simulation
