// The open calls and when each of them runs out of time.
#pragma once

#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/src/call.hpp"
#include "common/model/time.hpp"

namespace taskpipe::client {

// How to begin a call.
struct CallStart {
  CallId id;
  CallCommand command;
  std::optional<Millis> timeout{};  // nothing = none, once a session has existed
  bool renewed_by_answers = false;  // the timeout is for each step, not for the whole
};

class CallTable {
 public:
  // Which part of the session serves a call; also what its timeout is called.
  enum class Kind { connect, submit, run, workflow, wait, ask, log, watch };
  [[nodiscard]] static Kind kind_of(const CallCommand& command);

  struct Call {
    Kind kind = Kind::connect;
    std::optional<Millis> timeout;
    std::optional<MonotonicTime> deadline;
    bool renewed_by_answers = false;
    // Of a run, until everything is acknowledged: what holds for the rest.
    bool submitting = false;
    std::optional<Millis> later_timeout{};
    std::optional<MonotonicTime> later_deadline{};
  };
  [[nodiscard]] static std::string_view subject_of(const Call& call);  // "the submit", …

  void add(const CallStart& start, MonotonicTime now);
  void erase(CallId id);
  void renew(CallId id, MonotonicTime now);
  // Of a run: what is left is the wait.
  void submitted(CallId id);
  [[nodiscard]] const Call* find(CallId id) const;

  // Calls whose deadline has come.
  [[nodiscard]] std::vector<CallId> expired(MonotonicTime now) const;
  // Calls that were begun at or before `begun`, oldest first. For the time before any session.
  [[nodiscard]] std::vector<CallId> begun_until(MonotonicTime begun) const;
  [[nodiscard]] std::optional<MonotonicTime> oldest_beginning() const;
  [[nodiscard]] std::vector<CallId> all() const;
  [[nodiscard]] std::optional<MonotonicTime> next_deadline() const;
  [[nodiscard]] bool empty() const { return calls_.empty(); }

 private:
  struct Entry {
    Call call;
    MonotonicTime begun;
  };
  std::unordered_map<CallId, Entry> calls_;
  std::set<std::pair<MonotonicTime, CallId>> deadlines_;
  std::set<std::pair<MonotonicTime, CallId>> beginnings_;
};

}  // namespace taskpipe::client
