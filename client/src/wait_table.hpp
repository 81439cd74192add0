// Who waits for which task and workflow. One registration at the broker serves every waiter of an
// id; a new session repeats all that are open.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "client/src/call.hpp"
#include "client/src/correlation.hpp"
#include "client/src/delivery.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

class WaitTable {
 public:
  explicit WaitTable(CorrelationSource& correlations) : correlations_(correlations) {}

  void add(CallId call, std::vector<TaskId> tasks);  // distinct ids
  void add(CallId call, WorkflowId workflow);
  // Of tasks that are being submitted, by a SUBMIT that waits for them as well. Distinct ids.
  void add_run(CallId call, std::vector<TaskId> tasks);
  // One of them is, by the message `submit`; from now on its end counts. `waits`: the broker waits
  // for it; else it will be asked to.
  void accepted(CallId call, const TaskId& task, Correlation submit, bool waits);
  // One of them is not. True when the call waits for nothing any more, and is over.
  [[nodiscard]] bool refused_one(CallId call) { return count_down(call); }
  // Gives up what was accepted: an answer for each. The call is over when nothing else is open.
  void fail_run(CallId call, const ClientError& why, Effects& out);
  void forget(CallId call);

  void on_welcome();
  // Calls that wait for an unknown id fail, and are over; of a run only that task fails.
  void on_done(Done&& done, Effects& out);
  // Of one WAIT message. BUSY: what it carried is asked again after retry_ms; all else fails the
  // calls that it served. O(open waits).
  void on_error(Correlation correlation, const Error& error, MonotonicTime now, Effects& out);

  // Registers what is not registered yet. Only while there is a session.
  void flush(MonotonicTime now, SessionId session, Effects& out);
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  [[nodiscard]] bool idle() const { return calls_.empty(); }

 private:
  // Who waits for one id. Nearly always a single call.
  struct Waiters {
    CallId first;
    std::vector<CallId> others;
    Correlation asked{};  // the WAIT that carried it last; 0 = not sent in this session

    void add(CallId call);
    [[nodiscard]] bool has(CallId call) const;
    bool remove(CallId call);  // true when nobody is left
    template <class Visit>
    void each(const Visit& visit) const {
      visit(first);
      for (const CallId call : others) visit(call);
    }
  };
  template <class Id>
  using Registrations = std::unordered_map<Id, Waiters>;
  // What one call waits for; ids that have ended stay listed.
  struct Call {
    std::vector<TaskId> tasks;
    std::optional<WorkflowId> workflow;
    std::size_t open = 0;
    bool run = false;
  };

  template <class Id>
  void enlist(Registrations<Id>& registrations, std::vector<Id>& unsent, const Id& id, CallId call);
  template <class Id>
  std::optional<Waiters> take(Registrations<Id>& registrations, const Id& id);
  template <class Id>
  void fail_unknown(Registrations<Id>& registrations, const Id& id, std::string_view kind,
                    Effects& out);
  void task_ended(DoneTask&& task, Effects& out);
  void deliver_end(CallId call, DoneTask&& task, Effects& out);
  // Of one task of a run.
  void deliver_failure(CallId call, std::size_t index, ClientError error, Effects& out);
  bool count_down(CallId call);

  CorrelationSource& correlations_;
  std::map<CallId, Call> calls_;
  Registrations<TaskId> tasks_;
  Registrations<WorkflowId> workflows_;
  // To be registered at the next flush; ids that nobody waits for any more are skipped.
  std::vector<TaskId> unsent_tasks_;
  std::vector<WorkflowId> unsent_workflows_;
  MonotonicTime paused_until_{};
};

}  // namespace taskpipe::client
