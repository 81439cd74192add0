// Workers that were ever met, and the tools they offer.
//
// A worker keeps its slot when it disconnects, since tasks may still be placed on it. Capacity is
// accounted here: resources are charged while a task is placed, credit bounds what a worker holds
// unstarted.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "broker/core/ready_queue.hpp"
#include "broker/core/record.hpp"
#include "broker/core/task_table.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

struct OfferedTool {
  ToolIndex tool;
  std::unordered_set<std::string> scripts;
  bool inline_scripts = false;
  bool fetches_inputs = false;
  bool listed_open = false;  // is in Tool::open
  // A search for work that was broken off: where it goes on, and whether it is through with this.
  std::optional<HeadKey> resume;
  bool walked = false;
};

struct Worker {
  PeerUuid uuid;
  std::string name;
  std::string host;
  std::string user;  // with keys: whose key opened its sessions since the start; empty = none yet
  std::uint32_t pid = 0;
  SessionId session;  // 0 = not connected
  WorkerState state = WorkerState::lost;
  MonotonicTime last_heard;

  Resources total;
  Resources free;
  std::uint32_t slots = 0;
  std::uint32_t slots_charged = 0;
  std::uint64_t credit_slots = 0;  // cumulative, as granted
  std::uint64_t credit_bytes = 0;
  std::uint64_t sent_slots = 0;  // cumulative, as used
  std::uint64_t sent_bytes = 0;

  std::vector<OfferedTool> tools;
  std::vector<ToolOffer> offers;  // as advertised, for TOOLS
  std::vector<Label> labels;

  TaskSlot placed_head{kNoSlot};  // tasks placed here
  std::uint32_t placed_count = 0;
  bool dirty = false;             // gained capacity in this turn
  bool searching = false;         // its search for work goes on in the next turn
  std::uint64_t incarnation = 0;  // of its last HELLO; 0 = none since the start
  bool silence_timer = false;     // a timer that watches it is pending
  Lsn known_lsn;                  // where its newest WorkersKnown record lies

  // TASKS of this turn, not closed yet.
  Tasks outbox;
  std::vector<record::TaskAttempt> outbox_attempts;
  std::size_t outbox_bytes = 0;
  std::size_t outbox_blobs = 0;
  std::uint64_t tasks_messages = 0;  // TASKS sent in this session

  bool recall_open = false;     // a RECALL was sent and not answered yet
  bool recall_in_vain = false;  // the last one came too late; nothing was sent since
  WorkerSlot recalled_for{kNoSlot};

  [[nodiscard]] bool connected() const { return session.value() != 0; }
  [[nodiscard]] bool accepts_work() const { return connected() && state == WorkerState::ready; }
  [[nodiscard]] std::uint64_t free_credit() const {
    return credit_slots > sent_slots ? credit_slots - sent_slots : 0;
  }
  // Null when it does not offer the tool.
  [[nodiscard]] OfferedTool* offered(ToolIndex tool);
  [[nodiscard]] const OfferedTool* offered(ToolIndex tool) const;
};

struct Tool {
  ToolOffer offer;                  // as last advertised, without scripts
  std::vector<WorkerSlot> workers;  // connected and offering it
  std::vector<WorkerSlot> open;     // of these, possibly with room
  std::uint32_t next_open = 0;      // where the next round of placing begins
  std::uint32_t next_recall = 0;    // and the next search for somebody who has too much
  std::set<HeadKey> heads;          // of signatures with queued tasks, best first
  double mean_run_us = -1.0;        // exponentially weighted; negative = nothing has run yet
  Lsn known_lsn;

  // Short tools are sent ahead of free resources, or each would cost a round trip.
  [[nodiscard]] bool prefetch() const;
  void add_run(std::uint64_t wall_us);
};

class WorkerTable {
 public:
  // The worker with this uuid, made when it is new.
  WorkerSlot intern(const PeerUuid& uuid);
  [[nodiscard]] std::optional<WorkerSlot> find(const PeerUuid& uuid) const;
  [[nodiscard]] Worker& operator[](WorkerSlot slot) { return workers_[slot.value()]; }
  [[nodiscard]] const Worker& operator[](WorkerSlot slot) const { return workers_[slot.value()]; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(workers_.size()); }

  void link(TaskTable& tasks, WorkerSlot worker, TaskSlot slot);
  void unlink(TaskTable& tasks, WorkerSlot worker, TaskSlot slot);

 private:
  std::deque<Worker> workers_;
  std::unordered_map<PeerUuid, WorkerSlot> index_;
};

class ToolTable {
 public:
  ToolIndex intern(const std::string& name);
  [[nodiscard]] std::optional<ToolIndex> find(const std::string& name) const;
  [[nodiscard]] Tool& operator[](ToolIndex index) { return tools_[index.value()]; }
  [[nodiscard]] const Tool& operator[](ToolIndex index) const { return tools_[index.value()]; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(tools_.size()); }
  // In the order of their names; from the first behind `name` on.
  using Index = std::map<std::string, ToolIndex, std::less<>>;
  [[nodiscard]] Index::const_iterator after(const std::string& name) const {
    return name.empty() ? index_.begin() : index_.upper_bound(name);
  }
  [[nodiscard]] Index::const_iterator end() const { return index_.end(); }

 private:
  std::deque<Tool> tools_;
  Index index_;
};

}  // namespace taskpipe::broker
