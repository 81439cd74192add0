// TOOLS, WORKERS, HEALTH: what the cluster is made of and how it does. Lists come in pages, each of
// which fits a message, however many there are.
#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <utility>

#include "broker/core/handlers.hpp"
#include "broker/core/memory.hpp"

namespace taskpipe::broker {
namespace {

// Of a row, at most: what is neither text nor list.
constexpr std::size_t kFixedRowBytes = 256;
constexpr std::size_t kFixedEntryBytes = 16;

// Decides where a page ends. A row alone always fits a message.
class PageBudget {
 public:
  [[nodiscard]] bool admit(std::size_t row_bytes) {
    const bool room = rows_ == 0 || (rows_ < limits::kMaxQueryRows &&
                                     bytes_ + row_bytes <= limits::kMaxListBytes);
    if (!room) return false;
    ++rows_;
    bytes_ += row_bytes;
    return true;
  }

 private:
  std::size_t rows_ = 0;
  std::size_t bytes_ = 0;
};

std::size_t bytes_of(const ToolRow& row) {
  std::size_t bytes = kFixedRowBytes + row.offer.name.size() + row.offer.version.size() +
                      row.offer.description.size();
  for (const auto& script : row.offer.scripts) {
    bytes += kFixedEntryBytes + script.name.size() + script.sha256.size();
  }
  return bytes;
}

std::size_t bytes_of(const WorkerRow& row) {
  std::size_t bytes = kFixedRowBytes + row.name.size() + row.host.size();
  for (const auto& tool : row.tools) bytes += kFixedEntryBytes + tool.size();
  for (const auto& label : row.labels) {
    bytes += kFixedEntryBytes + label.key.size() + label.value.size();
  }
  for (const auto* named : {&row.total.named, &row.free.named}) {
    for (const auto& amount : *named) bytes += kFixedEntryBytes + amount.name.size();
  }
  return bytes;
}

// The scripts of all connected workers, each once.
ToolRow row_of(const State& state, ToolIndex index) {
  const Tool& tool = state.tools[index];
  ToolRow row;
  row.offer = tool.offer;
  row.workers = static_cast<std::uint32_t>(tool.workers.size());
  std::set<std::string> names;
  for (const WorkerSlot slot : tool.workers) {
    const Worker& worker = state.workers[slot];
    const auto offered = static_cast<std::size_t>(worker.offered(index) - worker.tools.data());
    for (const auto& script : worker.offers[offered].scripts) {
      if (row.offer.scripts.size() >= limits::kMaxScriptsPerTool) return row;
      if (names.insert(script.name).second) row.offer.scripts.push_back(script);
    }
  }
  return row;
}

WorkerRow row_of(const Worker& worker, MonotonicTime now) {
  WorkerRow row;
  row.uuid = worker.uuid;
  row.name = worker.name;
  row.host = worker.host;
  row.pid = worker.pid;
  row.state = worker.state;
  row.total = worker.total;
  row.free = worker.connected() ? worker.free : Resources{};
  row.running = worker.placed_count;
  row.last_heard_ms = static_cast<std::uint32_t>(
      std::chrono::duration_cast<Millis>(now - worker.last_heard).count());
  for (const auto& offer : worker.offers) row.tools.push_back(offer.name);
  row.labels = worker.labels;
  return row;
}

}  // namespace

// The cursor is the name of the last tool of the page before.
void on_tools(Turn& turn, Session& session, Correlation correlation, const ToolsRequest& request) {
  const State& state = turn.state;
  ToolsReply reply;
  PageBudget budget;
  for (auto at = state.tools.after(request.cursor); at != state.tools.end(); ++at) {
    if (state.tools[at->second].known_lsn.value() == 0) continue;
    ToolRow row = row_of(state, at->second);
    if (!budget.admit(bytes_of(row))) {
      reply.next = reply.tools.back().offer.name;
      break;
    }
    reply.tools.push_back(std::move(row));
  }
  turn.send(session, correlation, std::move(reply));
}

// The cursor is the slot to go on from: a worker keeps its slot for good.
void on_workers(Turn& turn, Session& session, Correlation correlation,
                const WorkersRequest& request) {
  const State& state = turn.state;
  std::uint32_t at = 0;
  std::from_chars(request.cursor.data(), request.cursor.data() + request.cursor.size(), at);
  WorkersReply reply;
  PageBudget budget;
  for (; at < state.workers.size(); ++at) {
    const Worker& worker = state.workers[WorkerSlot(at)];
    // Former workers matter only while tasks are still placed on them.
    if (!worker.connected() && worker.placed_count == 0) continue;
    WorkerRow row = row_of(worker, turn.now.monotonic);
    if (!budget.admit(bytes_of(row))) {
      reply.next = std::to_string(at);
      break;
    }
    reply.workers.push_back(std::move(row));
  }
  turn.send(session, correlation, std::move(reply));
}

void on_health(Turn& turn, Session& session, Correlation correlation) {
  const State& state = turn.state;
  HealthReply reply;
  reply.warnings = state.config.warnings;
  reply.version = state.config.version;
  reply.epoch = state.epoch;
  reply.uptime_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<Millis>(turn.now.monotonic - state.started_at).count());
  for (std::uint32_t i = 0; i < state.workers.size(); ++i) {
    if (state.workers[WorkerSlot(i)].accepts_work()) ++reply.workers_ready;
  }
  reply.tasks_running = state.running;
  reply.tasks_pending = state.tasks.size() - state.ended_tasks.size() - state.running;
  reply.tasks_finished = state.finished;
  reply.journal_bytes = state.journal_bytes;
  reply.history_lag_tasks = state.ended_tasks.size();
  reply.memory_bytes = state.memory.bytes();
  reply.memory_limit_bytes = state.config.memory_limit_bytes;
  if (!state.read_only.empty()) {
    reply.warnings.push_back(state.read_only);
  } else if (reply.workers_ready == 0) {
    reply.warnings.emplace_back("no worker is connected; start taskpipe-worker");
  }
  if (const auto full = why_memory_full(state)) reply.warnings.push_back(full->text);
  if (!state.accepts_submits) {
    reply.warnings.emplace_back("the journal's disk is full; submits are refused");
  }
  reply.healthy = reply.workers_ready > 0 && state.accepts_submits && state.read_only.empty() &&
                  !state.shutting_down;
  turn.send(session, correlation, std::move(reply));
}

}  // namespace taskpipe::broker
