// Turns tasks into processes: decodes the params, asks the tools for a plan, hands it to the
// executor. Planning reads scripts, so it has a thread of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/task.hpp"
#include "common/model/value.hpp"
#include "worker/core/effect.hpp"
#include "worker/exec/executor.hpp"
#include "worker/shell/command_sink.hpp"
#include "worker/shell/input_fetcher.hpp"
#include "worker/tools/tool.hpp"

namespace taskpipe::worker {

class ProcessRunner {
 public:
  // As ToolRegistry::plan; called by the runner's thread only.
  using Planner = std::function<tl::expected<RunPlan, Error>(const TaskSpec&, const ValueMap&,
                                                             const AttemptContext&)>;

  // `executor` must outlive the runner and report to `commands` as well (see `post_to`). `inputs`
  // gets the files of tasks that bring some, and must be gone before the runner; null: such tasks
  // end in an error.
  ProcessRunner(Planner planner, Executor& executor, std::string attempts_root,
                CommandMailbox& commands);
  void fetch_inputs_by(InputFetcher* inputs);
  ProcessRunner(const ProcessRunner&) = delete;
  ProcessRunner& operator=(const ProcessRunner&) = delete;
  // Forgets what is not planned yet.
  ~ProcessRunner();

  // Ends in exactly one command::AttemptEnded; with error/rejected when there is no plan. Any
  // thread.
  void start(Start start);
  void stop(const Stop& stop);

 private:
  struct Planned {
    Start start;
    std::vector<RunPlan::Input> inputs;
  };
  void work();
  void plan_and_start(Planned planned);
  void enqueue(Planned planned);
  void fetch_inputs(Start start);
  void on_fetched(Start start, InputFetcher::Fetched fetched);

  Planner planner_;
  Executor& executor_;
  std::string attempts_root_;
  CommandMailbox& commands_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Planned> queue_;
  InputFetcher* inputs_ = nullptr;
  std::unordered_set<AttemptKey> fetching_;  // their inputs
  AttemptKey planning_;                      // nil while nothing is
  std::optional<Stop> stop_after_;           // of the one being planned
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace taskpipe::worker
