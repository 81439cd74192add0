// The PUB channel's streams: what happened in this turn, per topic, with sequence numbers.
//
// State streams count by the number of the record that made the change, which survives a restart;
// progress counts within the epoch. An event is kept only while somebody's subscription covers its
// topic; the position of a stream advances in any case, so that a heartbeat shows late joiners what
// they missed.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/effect.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::broker {

class EventStreams {
 public:
  // As libzmq reports them: a subscription covers every topic that it is a prefix of.
  void subscribe(const std::string& topic);
  void unsubscribe(const std::string& topic);
  void forget_subscribers();
  [[nodiscard]] bool watches_task(const TaskId& id) const;
  // False spares the hot path from building events for nobody.
  [[nodiscard]] bool anyone() const { return !subscriptions_.empty() || !watched_tasks_.empty(); }

  // The tool's newest change so far, told to nobody.
  void tool_stands_at(const std::string& tool, Lsn last);
  void task_changed(TaskEvent event, Lsn lsn);
  void task_progressed(TaskEvent event);
  void workflow_changed(const WorkflowEvent& event, Lsn lsn);
  void worker_changed(WorkerEvent event);
  // The present state of one task, for a subscription that has just come.
  void task_snapshot(TaskEvent event, Lsn lsn);

  // Everything since the last flush becomes Publish effects that reveal `last_lsn`.
  void flush(Epoch epoch, Lsn last_lsn, std::vector<Publish>& out);
  void heartbeat(Epoch epoch, Lsn last_lsn, std::vector<Publish>& out) const;

 private:
  struct Stream {
    std::uint64_t published_seq = 0;  // of the last message that was sent
    std::uint64_t seq = 0;
    bool by_record = false;
    Events pending;
  };
  [[nodiscard]] bool covered(const std::string& topic) const;
  void flush(Stream& own, Epoch epoch, Lsn last_lsn, const std::string& topic,
             std::vector<Publish>& out);
  // Workflows are many: the streams that nobody follows any more go.
  void forget_workflows(const std::string& prefix);
  Stream& stream(const std::string& topic, bool by_record);
  void advance(Stream& stream, Lsn lsn);

  std::set<std::string> subscriptions_;
  std::set<TaskId> watched_tasks_;
  std::map<std::string, Stream> streams_;
  std::vector<std::string> touched_;  // topics with pending events
};

[[nodiscard]] std::string task_topic(const TaskId& id);

}  // namespace taskpipe::broker
