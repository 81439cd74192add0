#include "tests/simulation/checker.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace taskpipe::simulation {
namespace {

constexpr std::size_t kMostSentences = 8;

struct Run {
  MonotonicTime began;
  std::optional<MonotonicTime> ended;
  std::optional<fact::Ran> result;
};

struct Life {
  fact::Submitted submitted;
  std::optional<MonotonicTime> acknowledged;
  bool refused_for_certain = false;
  std::optional<fact::EndSeen> end;
  MonotonicTime end_seen_at;
  std::optional<MonotonicTime> cancel_promised;  // while it lived
  bool cancel_found_it_ended = false;
  std::map<AttemptKey, Run> runs;
};

class Check {
 public:
  Check(const Ledger& ledger, const CheckLimits& limits) : ledger_(ledger), limits_(limits) {}

  std::vector<std::string> run() {
    for (const Entry& entry : ledger_) {
      at_ = entry.at;
      std::visit(*this, entry.fact);
    }
    for (const auto& [id, life] : tasks_) judge(id, life);
    judge_workflows();
    return std::move(wrong_);
  }

  void operator()(const fact::Submitted& f) { tasks_[f.task].submitted = f; }
  void operator()(const fact::Acknowledged& f) {
    Life& life = task(f.task, "was acknowledged");
    if (!life.acknowledged) life.acknowledged = at_;
    if (life.refused_for_certain) say(f.task, "was acknowledged after it had been refused");
  }
  void operator()(const fact::Refused& f) {
    Life& life = task(f.task, "was refused");
    if (f.doubtful) return;
    life.refused_for_certain = true;
    if (life.acknowledged) say(f.task, "was refused after it had been acknowledged");
    if (!life.runs.empty()) say(f.task, "was refused although it has run");
  }
  void operator()(const fact::Began& f) {
    Life& life = task(f.attempt.task, "has run");
    if (life.refused_for_certain) say(f.attempt.task, "runs although it was refused");
    if (!life.runs.emplace(f.attempt, Run{at_, {}, {}}).second) {
      say(f.attempt.task, "began attempt " + number(f.attempt) + " twice");
    }
    for (const auto& [key, run] : life.runs) {
      if (key.attempt == f.attempt.attempt && key.epoch != f.attempt.epoch) {
        say(f.attempt.task, "used the number of attempt " + number(f.attempt) + " twice");
      }
    }
    if (life.cancel_promised && at_ - *life.cancel_promised > limits_.cancel_latency) {
      say(f.attempt.task, "began attempt " + number(f.attempt) + " long after its cancel");
    }
    for (const TaskId& before : life.submitted.after) judge_order(f.attempt.task, before);
    nodes_[f.node].insert(f.attempt);
  }
  void operator()(const fact::Ran& f) {
    Life& life = task(f.attempt.task, "has run");
    const auto run = life.runs.find(f.attempt);
    if (run == life.runs.end()) return say(f.attempt.task, "ended a run that never began");
    run->second.ended = at_;
    run->second.result = f;
  }
  void operator()(const fact::EndSeen& f) {
    Life& life = task(f.task, "has ended");
    if (!life.end) {
      life.end = f;
      life.end_seen_at = at_;
      judge_end(f, life);
      return;
    }
    const auto same = [](const fact::EndSeen& a, const fact::EndSeen& b) {
      return a.attempt == b.attempt && a.state == b.state && a.failure == b.failure &&
             a.report == b.report;
    };
    if (!same(*life.end, f)) {
      say(f.task, "has two ends: " + describe(*life.end) + ", then " + describe(f));
    }
  }
  void operator()(const fact::CancelPromised& f) {
    Life& life = task(f.task, "was cancelled");
    if (!f.was_live) {
      life.cancel_found_it_ended = true;
      return;
    }
    if (life.end && life.end->state != TaskState::cancelled) {
      say(f.task, "was promised to be cancelled after it was seen to end: " + describe(*life.end));
    }
    if (!life.cancel_promised) life.cancel_promised = at_;
  }
  void operator()(const fact::UnknownSeen& f) {
    const Life& life = task(f.task, "is unknown");
    if (life.acknowledged && *life.acknowledged < f.asked) {
      say(f.task, "is LOST: it was acknowledged, and the broker does not know it");
    }
  }
  void operator()(const fact::Unanswered& f) {
    task(f.task, "hangs");
    say(f.task, "hangs: nobody has answered its submit");
  }
  void operator()(const fact::NodeDied& f) {
    for (const AttemptKey& key : nodes_[f.node]) {
      Run& run = tasks_[key.task].runs[key];
      if (!run.ended) run.ended = at_;
    }
    nodes_[f.node].clear();
  }

 private:
  Life& task(const TaskId& id, const char* what) {
    const auto found = tasks_.find(id);
    if (found != tasks_.end()) return found->second;
    say(id, std::string(what) + ", but nobody ever submitted it");
    return tasks_[id];
  }

  // A task may begin once each of those before it has ended; a run of theirs that was given up
  // (its node was cut off) may still be going on, but then another one must have ended, or the end
  // came without a run.
  void judge_order(const TaskId& id, const TaskId& before) {
    const Life& earlier = tasks_[before];
    const bool ran_to_its_end = [&] {
      for (const auto& [key, run] : earlier.runs) {
        if (run.result) return true;
      }
      return false;
    }();
    if (!ran_to_its_end) early_.emplace_back(id, before);
    if (tasks_[id].submitted.cancel_dependents) must_have_succeeded_.emplace_back(id, before);
  }

  void judge_end(const fact::EndSeen& f, const Life& life) {
    if (f.state == TaskState::success || f.state == TaskState::failure) {
      const auto run = life.runs.find(f.attempt);
      if (run == life.runs.end()) {
        say(f.task, "ended as " + describe(f) + " though that attempt never began");
      } else if (!run->second.result) {
        say(f.task, "ended as " + describe(f) + " though that attempt had not ended");
      } else if (run->second.result->state != f.state || run->second.result->report != f.report) {
        say(f.task, "ended as " + describe(f) + ", which is not what the attempt produced");
      }
    }
  }

  void judge(const TaskId& id, const Life& life) {
    if (life.acknowledged && !life.end) say(id, "is LOST: acknowledged, and it never ended");
    if (life.cancel_promised && life.end && life.end->state != TaskState::cancelled) {
      say(id, "was promised to be cancelled but ended as " + describe(*life.end));
    }
    if (life.cancel_found_it_ended && !life.end && life.acknowledged) {
      say(id, "was said to have ended when it was cancelled, and never did");
    }
  }

  void judge_workflows() {
    // Without a run that came to its end, whatever was before it must have ended otherwise.
    for (const auto& [later, before] : early_) {
      const auto& end = tasks_[before].end;
      if (end && (end->state == TaskState::success || end->state == TaskState::failure)) {
        say(later, "began before " + before.to_string() + " had ended");
      }
    }
    for (const auto& [later, before] : must_have_succeeded_) {
      const auto& end = tasks_[before].end;
      if (end && end->state != TaskState::success) {
        say(later, "ran although " + before.to_string() + " before it ended as " + describe(*end));
      }
    }
  }

  static std::string number(const AttemptKey& key) {
    return std::to_string(key.epoch.value()) + "/" + std::to_string(key.attempt.value());
  }
  static std::string describe(const fact::EndSeen& end) {
    return std::string(name_of(end.state)) + " (attempt " + number(end.attempt) + ", report '" +
           end.report + "')";
  }
  void say(const TaskId& id, const std::string& what) {
    if (wrong_.size() < kMostSentences) wrong_.push_back("task " + id.to_string() + " " + what);
  }

  const Ledger& ledger_;
  const CheckLimits& limits_;
  MonotonicTime at_;
  std::map<TaskId, Life> tasks_;
  std::map<std::uint32_t, std::set<AttemptKey>> nodes_;
  std::vector<std::pair<TaskId, TaskId>> early_;
  std::vector<std::pair<TaskId, TaskId>> must_have_succeeded_;
  std::vector<std::string> wrong_;
};

}  // namespace

std::vector<std::string> check(const Ledger& ledger, const CheckLimits& limits) {
  return Check(ledger, limits).run();
}

}  // namespace taskpipe::simulation
