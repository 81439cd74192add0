// One `Client::monitor` call: asks for rows, follows events, waits for the ends, and feeds all
// three into a TaskFollower. Runs on the caller's thread; nothing is polled.
//
// Few tasks are followed by their own topics, whose present state the broker publishes on
// subscription. Many are followed by their tools' topics: those are known from the first rows, and
// whatever happened before the subscription took hold is fetched by asking once more after the
// second heartbeat (the first may have been on its way already). Every gap is closed the same way.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <vector>

#include "client/src/client_impl.hpp"
#include "client/src/inbox.hpp"
#include "client/src/task_follower.hpp"

namespace taskpipe::client {

class TaskMonitor {
 public:
  // `ids`: distinct, not empty. Both references outlive the monitor.
  TaskMonitor(Client::Impl& impl, std::vector<TaskId> ids, const Client::MonitorCallback& on_event);
  TaskMonitor(const TaskMonitor&) = delete;
  TaskMonitor& operator=(const TaskMonitor&) = delete;
  ~TaskMonitor();  // ends what it has begun

  // Until every end has been told. The results are in the order of the ends.
  [[nodiscard]] CallResult<std::vector<TaskResult>> run(const CallOptions& options);

 private:
  void ask_for(const std::vector<TaskId>& ids);
  void follow_topics(std::vector<std::string> topics);
  void follow_tools();
  [[nodiscard]] std::optional<ClientError> handle(Inbox::Item&& item);
  void on_row_answer(Inbox::Item&& item);
  void on_events(const EventBatch& batch);
  void resync();

  Client::Impl& impl_;
  std::vector<TaskId> ids_;
  const Client::MonitorCallback& on_event_;
  std::shared_ptr<Inbox> inbox_;
  TaskFollower follower_;
  std::vector<TaskResult> results_;
  std::optional<CallId> wait_;               // while it is open
  std::optional<CallId> events_;             // the subscription
  std::unordered_set<CallId> row_requests_;  // open ones
  bool by_task_ = false;                     // holds task topics of the client's allowance
  bool rows_known_ = false;                  // the first rows are complete
  bool out_of_date_ = false;                 // events were missed: ask again
  int heartbeats_awaited_ = 0;               // until events are certain to arrive
};

}  // namespace taskpipe::client
