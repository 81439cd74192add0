#include "broker/core/waiting_reason.hpp"

#include <string_view>
#include <variant>

#include "broker/core/handlers.hpp"

namespace taskpipe::broker {
namespace {

// What one signature asks for, as far as there are workers for it: each step leaves fewer of them.
struct Candidates {
  std::size_t serving = 0;    // offer the tool with this script, inline scripts, inputs
  std::size_t large = 0;      // of these, whose whole resources would do
  std::size_t accepting = 0;  // of these, who take work
  // Of those that are too small: what the first lacks, and whether another lacks something else.
  std::string_view shortage;
  bool other_shortages = false;
};

Candidates candidates_for(const State& state, const Tool& tool, const Signature& signature) {
  Candidates found;
  for (const WorkerSlot slot : tool.workers) {
    const Worker& worker = state.workers[slot];
    const OfferedTool* offer = worker.offered(signature.tool);
    if (offer == nullptr || !serves(*offer, signature)) continue;
    ++found.serving;
    const std::string_view missing = first_shortage(signature.need, worker.total);
    if (missing.empty()) {
      ++found.large;
      if (worker.accepts_work()) ++found.accepting;
    } else if (found.shortage.empty()) {
      found.shortage = missing;
    } else if (found.shortage != missing) {
      found.other_shortages = true;
    }
  }
  return found;
}

std::string what_it_serves(const Signature& signature) {
  std::string what = signature.inline_script    ? "takes inline scripts"
                     : signature.script.empty() ? ""
                                                : "has script '" + signature.script + "'";
  if (!signature.has_inputs) return what;
  return what.empty() ? "fetches input files" : what + " and fetches input files";
}

}  // namespace

std::string WaitingReasons::of(TaskSlot slot) {
  const Task& task = state_.tasks[slot];
  if (const auto* waiting = std::get_if<phase::Waiting>(&task.phase)) {
    const std::uint32_t open = waiting->open_dependencies;
    return "waits for " + std::to_string(open) + (open == 1 ? " task" : " tasks") +
           " of its workflow";
  }
  if (const phase::Placed* placed = task.placed(); placed != nullptr && !placed->started) {
    return "was sent to worker '" + state_.workers[placed->worker].name +
           "', which has not started it yet";
  }
  const auto* ready = std::get_if<phase::Ready>(&task.phase);
  if (ready == nullptr) return {};
  const auto known = by_signature_.find(ready->signature.value());
  if (known != by_signature_.end()) return known->second;
  if (by_signature_.size() >= kMaxWaitingReasons) return {};
  return by_signature_
      .emplace(ready->signature.value(), of_signature(ready->signature, task.spec->tool))
      .first->second;
}

std::string WaitingReasons::of_signature(SignatureIndex index, const std::string& tool_name) const {
  const Signature& signature = state_.signatures[index];
  const Tool& tool = state_.tools[signature.tool];
  const std::string name = "'" + tool_name + "'";
  if (tool.workers.empty()) return "no worker that offers tool " + name + " is connected";
  const Candidates found = candidates_for(state_, tool, signature);
  if (found.serving == 0) {
    return "no connected worker that offers tool " + name + " " + what_it_serves(signature);
  }
  if (found.large == 0) {
    return "no connected worker that offers tool " + name + " has enough " +
           std::string(found.shortage) + (found.other_shortages ? " and all else at once" : "");
  }
  if (found.accepting == 0)
    return "the workers that could run it take no work: they drain, or are silent";
  if (signature.care == Care::alone) {
    return "waits for a worker of its own, since workers were lost with it";
  }
  return "waits for room on " + std::to_string(found.accepting) +
         (found.accepting == 1 ? " worker" : " workers");
}

}  // namespace taskpipe::broker
