// Golden scenarios: a transcript of commands to the broker core and of what every peer then hears.
//
//   # comment
//   submit ann a b tool=lammps priority=5     a command
//   > ann SUBMIT_ACK a=OK b=OK                what it caused, one line per message
//
// Running a transcript executes its commands and writes the lines that begin with ">" anew; a test
// compares the two. Times, ids and session numbers appear by the names that the transcript gave
// them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/core_cluster.hpp"

namespace taskpipe::broker::testing {

class Scenario {
 public:
  // The transcript with its outputs as they really are. Throws std::invalid_argument naming the
  // line for a command that it does not know.
  std::string run(std::string_view transcript);

 private:
  struct PeerState {
    Peer peer;
    SessionId session;
    PeerUuid uuid;
    std::uint64_t incarnation = 1;
    std::string tool;
    std::uint32_t cpus = 0;
  };
  using Words = std::vector<std::string>;
  using Options = std::map<std::string, std::string>;

  void execute(const Words& words, const Options& options);
  void connect_client(const Words& words);
  void connect_worker(const Words& words, const Options& options);
  void submit(const Words& words, const Options& options);
  void submit_workflow(const Words& words, const Options& options);
  void worker_says(const Words& words, const Options& options);
  void collect_outputs(std::string& out);

  [[nodiscard]] TaskId task(const std::string& name);
  [[nodiscard]] WorkflowId workflow(const std::string& name);
  [[nodiscard]] AttemptKey attempt(const std::string& text);  // "a#1.2": task a, epoch 1, attempt 2
  [[nodiscard]] PeerState& peer(const std::string& name);
  [[nodiscard]] std::vector<TaskId> tasks_from(const Words& words, std::size_t first);

  friend struct Printer;
  CoreCluster cluster_;
  Correlation last_submit_;
  std::map<std::string, PeerState> peers_;
  std::map<std::string, TaskId> tasks_;
  std::map<TaskId, std::string> task_names_;
  std::map<std::string, WorkflowId> workflows_;
  std::map<WorkflowId, std::string> workflow_names_;
  std::uint64_t last_routing_ = 0;
};

}  // namespace taskpipe::broker::testing
