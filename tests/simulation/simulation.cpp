#include "tests/simulation/simulation.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <utility>

#include "tests/simulation/checker.hpp"
#include "tests/simulation/faults.hpp"

namespace taskpipe::simulation {
namespace {

using namespace std::chrono_literals;

// Shorter than in production, so that an hour of virtual time holds many leases.
constexpr std::uint32_t kHeartbeatMs = 500;
constexpr std::uint32_t kLeaseMs = 8000;
constexpr std::uint64_t kRecallWaitUs = 2000;        // batches are small here
constexpr std::uint64_t kTightMemoryBytes = 64'000;  // some hundred tasks: clients have to wait
constexpr Nanos kPeace = 12h;                        // in which everything must come to its end
constexpr Nanos kAuditLimit = 2min;
constexpr Millis kLatency = 5min;  // several partitions and pauses in a row
constexpr Nanos kMostBetweenActs = 20s;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6U) + (hash >> 2U);
  return hash * 0xff51afd7ed558ccdULL;
}

class Cluster {
 public:
  explicit Cluster(const Options& options)
      : options_(options),
        world_(options.seed),
        weather_(options.weather.value_or(draw_weather(options.seed))),
        broker_(world_, broker_config(options.seed)) {
    world_.verbose = options.verbose;
    world_.poison = weather_ == Weather::poison;
    const auto workers = static_cast<NodeId>(world_.random.between(1, 4));
    const auto clients = static_cast<NodeId>(world_.random.between(1, 3));
    for (NodeId node = 1; node <= workers; ++node) {
      const auto slots = static_cast<std::uint32_t>(world_.random.between(2, 4));
      workers_.push_back(std::make_unique<WorkerProcess>(world_, node, slots));
    }
    for (NodeId i = 0; i < clients; ++i) {
      clients_.push_back(std::make_unique<ClientProcess>(world_, kFirstClientNode + i));
    }
  }

  Report run() {
    const MonotonicTime begin = world_.scheduler.time();
    const MonotonicTime end = begin + Nanos(options_.duration);
    Parts parts{world_, broker_, {}, {}};
    for (const auto& worker : workers_) parts.workers.push_back(worker.get());
    for (const auto& client : clients_) parts.clients.push_back(client.get());
    Faults faults(parts, weather_, end);
    broker_.start();
    for (const auto& worker : workers_) worker->start();
    for (const auto& client : clients_) {
      client->start();
      act_later(*client, end);
    }
    faults.start();
    run_until(end);
    world_.tell("world", "peace");
    faults.heal();
    run_until(end + kPeace, [this] { return open() == 0 && all_clients_run(); });
    for (const auto& client : clients_) client->audit();
    run_until(world_.scheduler.time() + kAuditLimit);
    for (const auto& client : clients_) client->report_unanswered();
    return report(begin);
  }

 private:
  // Not from the world's own numbers: the same life is repeated by naming its weather.
  static Weather draw_weather(std::uint64_t seed) {
    return static_cast<Weather>(Random(seed).below(static_cast<std::uint64_t>(kLastWeather) + 1));
  }
  static broker::BrokerConfig broker_config(std::uint64_t seed) {
    broker::BrokerConfig config;
    config.heartbeat_ms = kHeartbeatMs;
    config.lease_ms = kLeaseMs;
    config.recall_wait_us = kRecallWaitUs;
    if (seed % 4 == 0) config.memory_limit_bytes = kTightMemoryBytes;
    return config;
  }

  void act_later(ClientProcess& client, MonotonicTime end) {
    world_.scheduler.after(world_.random.scaled(10ms, kMostBetweenActs), [this, &client, end] {
      if (world_.scheduler.time() >= end) return;
      client.act();
      act_later(client, end);
    });
  }

  void run_until(MonotonicTime end) {
    run_until(end, [] { return false; });
  }
  template <class Done>
  void run_until(MonotonicTime end, const Done& done) {
    constexpr int kLookEvery = 1000;  // `done` looks at every task
    for (int i = 0; world_.defects.empty() && world_.scheduler.run_next(end); ++i) {
      if (i % kLookEvery == 0 && done()) return;
      if (world_.scheduler.spins()) world_.defect("time stands still: something spins");
    }
  }
  [[nodiscard]] std::size_t open() const {
    std::size_t open = 0;
    for (const auto& client : clients_) open += client->open();
    return open;
  }

  // Everything that is known of one task, in order.
  void show(const TaskId& id) const {
    for (const Entry& entry : world_.ledger) {
      if (const auto line = describe(entry, id)) std::printf("%s\n", line->c_str());
    }
  }

  [[nodiscard]] bool all_clients_run() const {
    return std::all_of(clients_.begin(), clients_.end(),
                       [](const auto& client) { return client->running(); });
  }
  [[nodiscard]] CheckLimits limits() const {
    return {kLatency, limits::kMaxWorkerLosses, weather_ == Weather::calm,
            weather_ == Weather::poison, weather_ == Weather::pauses || weather_ == Weather::storm};
  }

  Report report(MonotonicTime begin) const {
    Report report;
    report.weather = weather_;
    report.violations = world_.defects;
    // A run that was broken off has no audit.
    if (report.violations.empty()) report.violations = check(world_.ledger, limits());
    std::set<TaskId> acknowledged;
    std::set<TaskId> ended;
    for (const Entry& entry : world_.ledger) {
      std::uint64_t of_entry =
          mix(entry.fact.index(), static_cast<std::uint64_t>(entry.at.since_start.count()));
      if (std::holds_alternative<fact::Submitted>(entry.fact)) ++report.submitted;
      if (std::holds_alternative<fact::Began>(entry.fact)) ++report.executions;
      if (const auto* f = std::get_if<fact::Acknowledged>(&entry.fact)) {
        acknowledged.insert(f->task);
        of_entry = mix(of_entry, f->task.low());
      }
      if (const auto* f = std::get_if<fact::EndSeen>(&entry.fact)) {
        ended.insert(f->task);
        of_entry = mix(of_entry, f->task.low() + static_cast<std::uint64_t>(f->state));
      }
      report.fingerprint = mix(report.fingerprint, of_entry);
    }
    if (options_.follow) show(*options_.follow);
    report.acknowledged = acknowledged.size();
    for (const TaskId& id : ended) report.ended += acknowledged.count(id);
    report.events = world_.scheduler.count();
    report.simulated = world_.scheduler.time() - begin;
    report.counters = world_.counters;
    report.network = world_.network.counters();
    return report;
  }

  const Options& options_;
  World world_;
  Weather weather_;
  BrokerProcess broker_;
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
  std::vector<std::unique_ptr<ClientProcess>> clients_;
};

}  // namespace

const char* name_of(Weather weather) {
  switch (weather) {
    case Weather::calm: return "calm";
    case Weather::crashes: return "crashes";
    case Weather::network: return "network";
    case Weather::disk: return "disk";
    case Weather::pauses: return "pauses";
    case Weather::relay: return "relay";
    case Weather::storm: return "storm";
    case Weather::poison: return "poison";
  }
  return "?";
}

Report simulate(const Options& options) { return Cluster(options).run(); }

}  // namespace taskpipe::simulation
