// Whether this worker can run a task at all, decided from its own offer.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "worker/core/worker_config.hpp"

namespace taskpipe::worker {

class Admission {
 public:
  explicit Admission(const WorkerConfig& config);

  // How to run it, or what keeps this worker from it: INVALID or UNSATISFIABLE with field and
  // remedy. Cost: two hash look-ups; a batch shares its specs and needs one verdict for each.
  struct Verdict {
    AttemptKind kind = AttemptKind::process;
    std::optional<Error> refusal;
  };
  [[nodiscard]] Verdict judge(const TaskSpec& spec) const;
  // Nothing when the attempt is placed on this worker alone (or says nothing).
  [[nodiscard]] std::optional<Error> check_placements(
      const std::vector<Placement>& placements) const;

 private:
  struct Tool {
    AttemptKind kind = AttemptKind::process;
    bool inline_scripts = false;
    bool requires_script = false;
    bool scripts_complete = true;  // false: the offer was cut, only the plan can tell
    std::unordered_set<std::string> scripts;
  };
  [[nodiscard]] std::optional<Error> check_script(const Tool& tool, const TaskSpec& spec) const;

  PeerUuid uuid_;
  Resources total_;
  std::unordered_map<std::string, Tool> tools_;
  std::string tool_names_;  // "echo, lammps, noop", for the remedy
};

}  // namespace taskpipe::worker
