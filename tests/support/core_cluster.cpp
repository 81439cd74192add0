#include "tests/support/core_cluster.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>

#include "common/model/features.hpp"

namespace taskpipe::broker::testing {

CoreCluster::CoreCluster(BrokerConfig config) : config_(std::move(config)) {
  now_.monotonic = MonotonicTime{std::chrono::hours(1)};
  now_.wall = WallTime{1'700'000'000'000};
  start();
}

void CoreCluster::start() {
  core_ = std::make_unique<BrokerCore>(config_);
  for (const auto& [lsn, record] : journal_) core_->replay(record, lsn);
  epoch_ = epoch_.next();
  effects_.clear();
  held_lookups_.clear();
  Arrival last_arrival;
  for (const auto& [id, task] : history_) last_arrival = std::max(last_arrival, task.arrival);
  core_->start(epoch_, BrokerUuid(1, 2), {watermark_, last_arrival}, now_, effects_);
  carry_out();
  finish_turn();
}

void CoreCluster::restart() {
  inbox_.clear();
  start();
}

void CoreCluster::advance(Millis duration) {
  now_.monotonic = now_.monotonic + duration;
  now_.wall.unix_ms += duration.count();
  finish_turn();
}

void CoreCluster::apply(Command command) {
  core_->apply(std::move(command), now_, effects_);
  finish_turn();
}

void CoreCluster::finish_turn() {
  core_->apply(command::TurnEnded{}, now_, effects_);
  if (check_invariants) {
    const auto wrong = core_->check_invariants();
    ASSERT_FALSE(wrong.has_value()) << *wrong;
  }
  carry_out();
  if (auto_history) commit_history();
}

void CoreCluster::carry_out() {
  Lsn lsn = effects_.first_lsn;
  for (auto& record : effects_.records) {
    if (const auto* ended = std::get_if<record::TasksFinished>(&record)) {
      for (const auto& item : ended->items) ++terminal_records_[item.id];
    }
    journal_.emplace_back(lsn, std::move(record));
    lsn = lsn.next();
  }
  for (auto& send : effects_.sends) {
    last_correlation_[send.to] = send.correlation;
    inbox_[send.to].push_back(std::move(send.message));
  }
  for (auto& event : effects_.events) published_.push_back(std::move(event));
  std::vector<HistoryLookup> lookups = std::move(effects_.lookups);
  effects_.clear();
  held_lookups_.insert(held_lookups_.end(), lookups.begin(), lookups.end());
  if (!hold_lookups) answer_lookups();
}

void CoreCluster::answer_lookups() {
  for (const auto& lookup : std::exchange(held_lookups_, {})) answer(lookup);
}

void CoreCluster::commit_history() {
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  core_->apply(command::HistoryReady{core_->last_lsn(), kAll}, now_, effects_);
  if (!effects_.archive) return;
  HistoryBatch batch = *std::exchange(effects_.archive, {});
  for (auto& task : batch.tasks) history_.emplace(task.id, std::move(task));
  for (auto& workflow : batch.workflows) {
    finished_workflows_.emplace(workflow.id, std::move(workflow));
  }
  for (auto& late : batch.late) {
    const auto task = history_.find(late.task);
    if (task != history_.end()) task->second.pasts.push_back(std::move(late.attempt));
  }
  watermark_ = batch.watermark;
  core_->apply(command::HistoryCommitted{watermark_}, now_, effects_);
  carry_out();
}

void CoreCluster::collect_garbage(std::size_t images_per_step) {
  if (journal_.size() < 2) return;
  const Lsn up_to = journal_[journal_.size() / 2].first;
  const std::size_t most_steps = 2 * journal_.size() + 2;
  for (std::size_t step = 0; step < most_steps && core_->oldest_needed() <= up_to; ++step) {
    core_->apply(command::CarryForward{up_to, images_per_step}, now_, effects_);
    finish_turn();
  }
  ASSERT_GT(core_->oldest_needed(), up_to) << "carrying forward does not come to an end";
  while (journal_.front().first <= up_to) journal_.pop_front();
}

void CoreCluster::answer(const HistoryLookup& lookup) {
  command::LookupAnswered answered;
  answered.ticket = lookup.ticket;
  if (const auto* tasks = std::get_if<HistoryLookup::Tasks>(&lookup.what)) {
    for (const auto& id : tasks->ids) {
      if (const auto found = history_.find(id); found != history_.end()) {
        answered.tasks.push_back(found->second);
      }
    }
  } else if (const auto* workflows = std::get_if<HistoryLookup::Workflows>(&lookup.what)) {
    for (const auto& id : workflows->ids) {
      if (const auto found = finished_workflows_.find(id); found != finished_workflows_.end()) {
        answered.workflows.push_back(found->second);
      }
    }
  } else {
    answer_listing(std::get<HistoryLookup::Listing>(lookup.what), answered);
  }
  core_->apply(std::move(answered), now_, effects_);
  finish_turn();
}

bool CoreCluster::is_dead_letter(const FinishedTask& task) const {
  const TaskState state = task.outcome.state;
  if (state == TaskState::success || state == TaskState::cancelled) return false;
  return std::none_of(history_.begin(), history_.end(),
                      [&](const auto& entry) { return entry.second.original == task.id; });
}

// The cursor is the arrival number of the last row shown.
void CoreCluster::answer_listing(const HistoryLookup::Listing& listing,
                                 command::LookupAnswered& answered) const {
  std::uint64_t below = std::numeric_limits<std::uint64_t>::max();
  // A client may send any cursor at all: what is no number lists from the newest.
  std::from_chars(listing.cursor.data(), listing.cursor.data() + listing.cursor.size(), below);
  auto& found = answered.tasks;
  for (const auto& [id, task] : history_) {
    if (task.owner != listing.owner || task.arrival.value() >= below) continue;
    if (listing.filter.state && task.outcome.state != *listing.filter.state) continue;
    if (!listing.filter.tool.empty() && task.spec->tool != listing.filter.tool) continue;
    if (listing.filter.dead && !is_dead_letter(task)) continue;
    if (listing.filter.workflow && task.workflow != listing.filter.workflow) continue;
    found.push_back(task);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.arrival > b.arrival; });
  if (found.size() <= listing.limit) return;
  found.resize(listing.limit);
  answered.next = std::to_string(found.back().arrival.value());
}

SessionId CoreCluster::connect_client(std::uint64_t routing, const std::string& user) {
  const Peer peer{Port::client, routing};
  Hello hello;
  hello.user = user;
  hello.uuid = PeerUuid(routing, 1);
  hello.name = "client-" + std::to_string(routing);
  say(peer, SessionId{}, hello);
  const auto welcomes = take_all<Welcome>(peer);
  return welcomes.empty() ? SessionId{} : welcomes[0].session;
}

SessionId CoreCluster::connect_worker(std::uint64_t routing, const PeerUuid& uuid,
                                      const std::string& name, WorkerOffer offer,
                                      std::uint64_t incarnation, bool fetches_inputs) {
  const Peer peer{Port::worker, routing};
  Hello hello;
  hello.role = Role::worker;
  hello.user = "worker";
  hello.uuid = uuid;
  hello.incarnation = incarnation;
  hello.name = name;
  hello.host = "host-" + name;
  if (fetches_inputs) hello.features.emplace_back(kFeatureInputs);
  hello.worker = std::move(offer);
  say(peer, SessionId{}, hello);
  for (const auto& message : inbox_[peer]) {
    if (const auto* welcome = std::get_if<Welcome>(&message)) return welcome->session;
  }
  return SessionId{};
}

void CoreCluster::say(const Peer& peer, SessionId session, Message message, bool resend,
                      Correlation correlation) {
  apply(command::MessageReceived{peer, session, correlation, resend, std::move(message)});
}

std::vector<Message> CoreCluster::take(const Peer& peer) { return std::exchange(inbox_[peer], {}); }

WorkerOffer offer_of(const std::string& tool, std::uint32_t cpus) {
  WorkerOffer offer;
  offer.slots = cpus;
  offer.resources.cpus = cpus;
  ToolOffer tool_offer;
  tool_offer.name = tool;
  offer.tools.push_back(std::move(tool_offer));
  return offer;
}

TaskSpecPtr spec_of(const std::string& tool, std::int32_t priority, std::uint32_t cpus) {
  auto spec = std::make_shared<TaskSpec>();
  spec->tool = tool;
  spec->priority = priority;
  spec->resources.cpus = cpus;
  return spec;
}

Submit submit_of(const TaskSpecPtr& spec, const std::vector<TaskId>& ids) {
  Submit submit;
  submit.specs.push_back(spec);
  for (const auto& id : ids) submit.items.push_back({id, 0, Payload("params"), {7, id.low()}});
  return submit;
}

Outcome success() {
  Outcome outcome;
  outcome.state = TaskState::success;
  outcome.usage.wall_us = 20'000;  // long enough that nothing is sent ahead
  return outcome;
}

}  // namespace taskpipe::broker::testing
