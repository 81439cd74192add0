#include "tests/simulation/ledger.hpp"

#include <cstdio>

namespace taskpipe::simulation {
namespace {

// What a fact says of one task; empty when it is about another one.
class Story {
 public:
  explicit Story(const TaskId& task) : task_(task) {}

  std::string operator()(const fact::Submitted& f) const {
    return f.task == task_ ? "submitted, after " + std::to_string(f.after.size()) + " others" : "";
  }
  std::string operator()(const fact::Acknowledged& f) const {
    return f.task == task_ ? "acknowledged" : "";
  }
  std::string operator()(const fact::Refused& f) const {
    if (f.task != task_) return "";
    return f.doubtful ? "refused, perhaps" : "refused";
  }
  std::string operator()(const fact::Began& f) const {
    if (f.attempt.task != task_) return "";
    return "began attempt " + number_of(f.attempt) + " on node " + std::to_string(f.node);
  }
  std::string operator()(const fact::Ran& f) const {
    if (f.attempt.task != task_) return "";
    return "attempt " + number_of(f.attempt) + " came to its end: " + std::string(name_of(f.state));
  }
  std::string operator()(const fact::EndSeen& f) const {
    if (f.task != task_) return "";
    return "seen to have ended: " + std::string(name_of(f.state)) + ", attempt " +
           number_of(f.attempt);
  }
  std::string operator()(const fact::CancelAsked& f) const {
    return f.task == task_ ? "cancel asked for" : "";
  }
  std::string operator()(const fact::CancelPromised& f) const {
    if (f.task != task_) return "";
    return f.was_live ? "cancel promised" : "cancel came too late";
  }
  std::string operator()(const fact::UnknownSeen& f) const {
    return f.task == task_ ? "said to be unknown" : "";
  }
  std::string operator()(const fact::Unanswered& f) const {
    return f.task == task_ ? "its " + f.what + " is still not answered" : "";
  }
  std::string operator()(const fact::Killed& f) const {
    return f.attempt.task == task_ ? "killed its worker in attempt " + number_of(f.attempt) : "";
  }
  std::string operator()(const fact::NodeDied& f) const {
    return "(node " + std::to_string(f.node) + " died)";
  }

 private:
  const TaskId& task_;
};

}  // namespace

std::string number_of(const AttemptKey& key) {
  return std::to_string(key.epoch.value()) + "/" + std::to_string(key.attempt.value());
}

std::optional<std::string> describe(const Entry& entry, const TaskId& task) {
  const std::string text = std::visit(Story(task), entry.fact);
  if (text.empty()) return std::nullopt;
  char time[32];
  const double seconds = static_cast<double>(entry.at.since_start.count()) / 1e9;
  std::snprintf(time, sizeof time, "%12.6f ", seconds - 3600);
  return time + text;
}

}  // namespace taskpipe::simulation
