// Finds, hashes and reports what attempts leave behind, away from the executor's I/O thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/model/run_report.hpp"
#include "common/model/task.hpp"
#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

struct FinishJob {
  RunNumber run = 0;
  Outcome outcome;   // its report is filled here
  RunReport report;  // its artifacts are filled here
  std::vector<std::string> artifact_globs;
};

// One thread. Hashing is sliced: attempts take turns of kHashSliceBytes, so that a large artifact
// of one delays the others by a slice each, not by its length.
class Finisher {
 public:
  // Called by the finisher's thread, once per job. Must not block.
  using Done = std::function<void(RunNumber, Outcome)>;

  explicit Finisher(Done done);
  Finisher(const Finisher&) = delete;
  Finisher& operator=(const Finisher&) = delete;
  // Delivers what is left, unhashed, and waits.
  ~Finisher();

  // Any thread.
  void submit(FinishJob job);

 private:
  struct Active;
  void run();
  void deliver(Active& active);

  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<FinishJob> submitted_;
  bool stopping_ = false;
  std::thread thread_;  // last: starts once the rest is there
};

// `report` encoded; artifacts are left out from the end, then the tails, until it fits. Empty when
// even that fails.
[[nodiscard]] Payload encode_fitting(RunReport& report);

}  // namespace taskpipe::worker
