// Merges the three sources of a monitor into one history per task: rows (what the state was when
// asked), events (pushed, lossy), ends (DONE, never lost).
//
// What comes out, per task: the present state first, then changes and progress, and the terminal
// state exactly once and last. Rows may be older than events that came before them, so they only
// ever move a task forward; events of superseded attempts are dropped, as are repetitions.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/model/messages.hpp"

namespace taskpipe::client {

class TaskFollower {
 public:
  explicit TaskFollower(std::span<const TaskId> ids);

  void on_row(const TaskRow& row);
  // Whatever has no row yet gets none: ends need not wait for a description any longer.
  void on_rows_complete();
  void on_event(const TaskEvent& event);
  void on_ended(const DoneTask& task);

  // What is to be told, in order. Empties it.
  [[nodiscard]] std::vector<TaskEvent> take();

  // Tasks whose end was not told.
  [[nodiscard]] std::vector<TaskId> live() const;
  [[nodiscard]] bool all_told() const { return untold_ends_ == 0; }
  [[nodiscard]] const std::set<std::string>& tools() const { return tools_; }

 private:
  struct Track {
    TaskEvent last;
    bool described = false;          // tool and script are known, or will not be
    bool seen = false;               // anything was told
    bool ended = false;              // the end was told
    std::optional<TaskEvent> end{};  // waits for the description
  };
  void tell(Track& track, TaskEvent event);
  void tell_end(Track& track);

  std::unordered_map<TaskId, Track> tracks_;
  std::vector<TaskId> order_;
  std::vector<TaskEvent> out_;
  std::set<std::string> tools_;
  std::size_t untold_ends_ = 0;
};

}  // namespace taskpipe::client
