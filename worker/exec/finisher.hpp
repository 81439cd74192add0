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
#include "worker/exec/artifact_keeper.hpp"
#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

// One thread. Hashing is sliced: attempts take turns of kHashSliceBytes, so that a large artifact
// of one delays the others by a slice each, not by its length.
class Finisher {
 public:
  // Called by the finisher's thread, once per job. Must not block.
  using Done = std::function<void(RunNumber, Outcome)>;

  // `keeper` may be null: then artifacts stay where they are. Otherwise it outlives the finisher,
  // and hands back what it still holds before that is destroyed.
  explicit Finisher(Done done, ArtifactKeeper* keeper = nullptr);
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
  ArtifactKeeper* keeper_;
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
