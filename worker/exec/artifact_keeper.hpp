// The seam between the end of an attempt and the place where its artifacts are kept.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/model/run_report.hpp"
#include "common/model/task.hpp"
#include "common/process/beneath.hpp"
#include "worker/exec/executor.hpp"
#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

struct FinishJob {
  RunNumber run = 0;
  Outcome outcome;   // its report is filled by the finisher
  RunReport report;  // its artifacts are filled by the finisher, then marked by the keeper
  std::vector<std::string> artifact_globs;
  std::vector<RunPlan::File> files;    // what the worker wrote before the start,
  std::vector<RunPlan::Input> inputs;  // and what it fetched: no artifacts, unless changed
  process::FileOwner owner;            // of what may be taken from the attempt's folder
  bool keep = true;                    // false: nobody will ask for what it left
};

class ArtifactKeeper {
 public:
  ArtifactKeeper() = default;
  ArtifactKeeper(const ArtifactKeeper&) = delete;
  ArtifactKeeper& operator=(const ArtifactKeeper&) = delete;
  virtual ~ArtifactKeeper() = default;

  using Done = std::function<void(FinishJob)>;
  // Brings the artifacts of `job` to where clients find them, says of each whether it is there, and
  // hands the job on; on the calling thread, when there is nothing to do. Must not block.
  virtual void keep(FinishJob job, Done done) = 0;
  // What is not kept yet of that run is of no interest any more.
  virtual void give_up(RunNumber run) = 0;
};

}  // namespace taskpipe::worker
