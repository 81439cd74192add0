#include "tests/simulation/checker.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "tests/simulation/lives.hpp"

namespace taskpipe::simulation {
namespace {

constexpr std::size_t kMostSentences = 8;

std::string describe(const fact::EndSeen& end) {
  return std::string(name_of(end.state)) + " (attempt " + number_of(end.attempt) + ", report '" +
         end.report + "')";
}

class Check {
 public:
  Check(const Lives& lives, const CheckLimits& limits) : lives_(lives), limits_(limits) {}

  std::vector<std::string> run() {
    for (const auto& [id, life] : lives_) {
      id_ = id;
      if (!life.submitted) {
        say("was seen, but nobody ever submitted it");
        continue;
      }
      survives(life);
      runs_and_ends(life);
      ends_once(life);
      fences(life);
      keeps_order(life);
      honours_cancel(life);
      tries_again(life);
      honours_refusal(life);
      if (limits_.poison) blames_the_right_one(life);
      for (const auto& what : life.unanswered) say("hangs: nobody has answered its " + what);
    }
    return std::move(wrong_);
  }

 private:
  void survives(const Life& life) {
    if (!life.acknowledged) return;
    if (life.ends.empty()) say("is LOST: acknowledged, and it never ended");
    for (const MonotonicTime asked : life.unknown_when_asked) {
      if (*life.acknowledged >= asked) continue;
      say("is LOST: it was acknowledged, and the broker does not know it");
    }
  }

  void runs_and_ends(const Life& life) {
    if (life.strange_end_of_run) say("ended a run that never began, or twice");
    if (life.ends.empty()) return;
    const End& end = life.ends.front();
    const std::string told = "ended as " + describe(end.what);
    switch (end.what.state) {
      case TaskState::success:
      case TaskState::failure: {
        const Run* run = find_run(life, end.what.attempt);
        if (run == nullptr || run->began > end.seen) {
          say(told + " though that attempt never began");
        } else if (!run->result || *run->ended > end.seen) {
          say(told + " though that attempt had not ended");
        } else if (run->result->state != end.what.state || run->result->report != end.what.report) {
          say(told + ", which is not what the attempt produced");
        }
        break;
      }
      case TaskState::cancelled:
        if (!may_be_cancelled(life, end.seen)) say(told + " though nobody wanted that");
        break;
      case TaskState::error:
        if (limits_.calm || end.what.failure != FailureClass::worker_lost ||
            end.what.attempt.attempt.value() <= limits_.most_losses) {
          say(told + " though it was not lost that often");
        }
        break;
      case TaskState::timeout: {
        const Millis queue_time = life.submitted->terms.queue_time;
        const bool early = !limits_.clock_steps && end.seen - life.submitted_at < queue_time;
        if (queue_time == Millis{0} || early) {
          say(told + " before it had waited for its queue time");
        }
        break;
      }
      default: say(told + ", which nothing here can lead to");
    }
    if (limits_.calm && life.runs.size() > 1 + failures_before_last(life)) {
      say("ran more than once, and nothing was wrong");
    }
  }

  [[nodiscard]] static bool has_failed(const Run& run) {
    return run.result && run.result->state == TaskState::failure;
  }
  [[nodiscard]] static std::size_t failures_before_last(const Life& life) {
    if (life.runs.empty()) return 0;
    return static_cast<std::size_t>(
        std::count_if(life.runs.begin(), std::prev(life.runs.end()), has_failed));
  }

  void tries_again(const Life& life) {
    const fact::Terms& terms = life.submitted->terms;
    const auto failed =
        static_cast<std::size_t>(std::count_if(life.runs.begin(), life.runs.end(), has_failed));
    const bool gave_up = !life.ends.empty() && life.ends.front().what.state == TaskState::failure;
    if (gave_up && failed < terms.max_attempts) {
      say("ended in failure after " + std::to_string(failed) + " of " +
          std::to_string(terms.max_attempts) + " attempts");
    }
    // Otherwise a run that failed may have been lost before, and is not counted.
    if (!limits_.calm) return;
    if (failed > terms.max_attempts) say("failed more often than it may");
    Millis least = terms.backoff;
    for (std::size_t i = 0; i + 1 < life.runs.size(); ++i) {
      const Run& run = life.runs[i];
      if (!has_failed(run) || !run.ended) continue;
      if (life.runs[i + 1].began - *run.ended < std::min(least, terms.max_backoff) / 2) {
        say("began attempt " + number_of(life.runs[i + 1].attempt) +
            " before its backoff was over");
      }
      least *= 2;
    }
  }

  // By somebody, or because of a task before it.
  [[nodiscard]] bool may_be_cancelled(const Life& life, MonotonicTime at) const {
    if (life.cancel_asked && *life.cancel_asked <= at) return true;
    if (!life.submitted->cancel_dependents) return false;
    const auto& after = life.submitted->after;
    return std::any_of(after.begin(), after.end(), [this](const TaskId& before) {
      const auto& ends = lives_.at(before).ends;
      return ends.empty() || ends.front().what.state != TaskState::success;
    });
  }

  void blames_the_right_one(const Life& life) {
    if (life.kills > limits_.most_losses + 1) {
      say("killed " + std::to_string(life.kills) + " workers before it was stopped");
    }
    if (life.kills > 0 || life.ends.empty()) return;
    if (life.ends.front().what.state == TaskState::error) {
      say("ended in error for what another task did");
    }
  }

  void ends_once(const Life& life) {
    if (life.ends.empty()) return;
    const End& first = life.ends.front();
    const auto same = [&first](const End& other) {
      const auto& a = first.what;
      const auto& b = other.what;
      return a.attempt == b.attempt && a.state == b.state && a.failure == b.failure &&
             a.report == b.report;
    };
    const auto other = std::find_if_not(life.ends.begin(), life.ends.end(), same);
    if (other != life.ends.end()) {
      say("has two ends: " + describe(first.what) + ", then " + describe(other->what));
    }
    for (const Run& run : life.runs) {
      if (run.began - first.seen > limits_.latency) {
        say("began attempt " + number_of(run.attempt) + " long after its end was told");
      }
    }
  }

  void fences(const Life& life) {
    std::set<AttemptKey> keys;
    std::set<Attempt> numbers;
    for (const Run& run : life.runs) {
      const bool new_key = keys.insert(run.attempt).second;
      const bool new_number = numbers.insert(run.attempt.attempt).second;
      if (!new_key) {
        say("began attempt " + number_of(run.attempt) + " twice");
      } else if (!new_number) {
        say("used the number of attempt " + number_of(run.attempt) + " twice");
      }
    }
  }

  void keeps_order(const Life& life) {
    if (life.runs.empty()) return;
    const MonotonicTime began = life.runs.front().began;
    for (const TaskId& before : life.submitted->after) {
      const Life& earlier = lives_.at(before);
      if (earlier.ends.empty()) continue;  // lost, which is said elsewhere
      const fact::EndSeen& end = earlier.ends.front().what;
      if (life.submitted->cancel_dependents && end.state != TaskState::success) {
        say("ran although " + before.to_string() + " before it ended as " + describe(end));
      } else if (!could_have_ended(earlier, end, began)) {
        say("began before " + before.to_string() + " had ended");
      }
    }
  }

  // The end is recorded after its cause and before anybody hears of it.
  [[nodiscard]] bool could_have_ended(const Life& life, const fact::EndSeen& end,
                                      MonotonicTime at) const {
    if (end.state == TaskState::cancelled) return may_be_cancelled(life, at);
    if (end.state == TaskState::error || end.state == TaskState::timeout) return true;
    const Run* run = find_run(life, end.attempt);
    return run != nullptr && run->ended && *run->ended <= at;
  }

  void honours_cancel(const Life& life) {
    if (life.cancel_came_late && life.acknowledged && life.ends.empty()) {
      say("was said to have ended when it was cancelled, and never did");
    }
    if (!life.cancel_promised) return;
    const MonotonicTime promised = *life.cancel_promised;
    if (!life.ends.empty() && life.ends.front().what.state != TaskState::cancelled) {
      say("was promised to be cancelled but ended as " + describe(life.ends.front().what));
    }
    for (const Run& run : life.runs) {
      if (run.began - promised > limits_.latency) {
        say("began attempt " + number_of(run.attempt) + " long after its cancel");
      } else if (!run.ended || *run.ended - promised > limits_.latency) {
        say("went on running in attempt " + number_of(run.attempt) + " long after its cancel");
      }
    }
  }

  void honours_refusal(const Life& life) {
    if (!life.refused) return;
    if (life.acknowledged) say("was both acknowledged and refused");
    if (!life.runs.empty()) say("was refused, and has run");
  }

  [[nodiscard]] static const Run* find_run(const Life& life, const AttemptKey& key) {
    const auto found = std::find_if(life.runs.begin(), life.runs.end(),
                                    [&key](const Run& run) { return run.attempt == key; });
    return found == life.runs.end() ? nullptr : &*found;
  }
  void say(const std::string& what) {
    if (wrong_.size() < kMostSentences) wrong_.push_back("task " + id_.to_string() + " " + what);
  }

  const Lives& lives_;
  const CheckLimits& limits_;
  TaskId id_;
  std::vector<std::string> wrong_;
};

}  // namespace

std::vector<std::string> check(const Ledger& ledger, const CheckLimits& limits) {
  const Lives lives = lives_of(ledger);
  return Check(lives, limits).run();
}

}  // namespace taskpipe::simulation
