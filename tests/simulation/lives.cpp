#include "tests/simulation/lives.hpp"

#include <algorithm>
#include <set>

namespace taskpipe::simulation {
namespace {

class Reader {
 public:
  Lives read(const Ledger& ledger) {
    for (const Entry& entry : ledger) {
      at_ = entry.at;
      std::visit(*this, entry.fact);
    }
    return std::move(lives_);
  }

  void operator()(const fact::Submitted& f) {
    lives_[f.task].submitted = f;
    lives_[f.task].submitted_at = at_;
  }
  void operator()(const fact::Acknowledged& f) { first(lives_[f.task].acknowledged); }
  void operator()(const fact::Refused& f) {
    if (!f.doubtful) first(lives_[f.task].refused);
  }
  void operator()(const fact::Began& f) {
    lives_[f.attempt.task].runs.push_back({f.attempt, f.node, at_});
    running_[f.node].insert(f.attempt);
  }
  void operator()(const fact::Ran& f) {
    Run* run = find_run(f.attempt);
    if (run == nullptr) {
      lives_[f.attempt.task].strange_end_of_run = true;
      return;
    }
    run->ended = at_;
    run->result = f;
    running_[run->node].erase(f.attempt);
  }
  void operator()(const fact::EndSeen& f) { lives_[f.task].ends.push_back({at_, f}); }
  void operator()(const fact::CancelAsked& f) { first(lives_[f.task].cancel_asked); }
  void operator()(const fact::CancelPromised& f) {
    if (f.was_live) {
      first(lives_[f.task].cancel_promised);
    } else {
      lives_[f.task].cancel_came_late = true;
    }
  }
  void operator()(const fact::UnknownSeen& f) {
    lives_[f.task].unknown_when_asked.push_back(f.asked);
  }
  void operator()(const fact::Unanswered& f) { lives_[f.task].unanswered.push_back(f.what); }
  void operator()(const fact::Killed& f) { ++lives_[f.attempt.task].kills; }
  void operator()(const fact::NodeDied& f) {
    for (const AttemptKey& key : running_[f.node]) find_run(key)->ended = at_;
    running_[f.node].clear();
  }

 private:
  void first(std::optional<MonotonicTime>& time) const {
    if (!time) time = at_;
  }
  Run* find_run(const AttemptKey& key) {
    auto& runs = lives_[key.task].runs;
    const auto found = std::find_if(
        runs.begin(), runs.end(), [&](const Run& run) { return run.attempt == key && !run.ended; });
    return found == runs.end() ? nullptr : &*found;
  }

  MonotonicTime at_;
  Lives lives_;
  std::map<std::uint32_t, std::set<AttemptKey>> running_;  // by node
};

}  // namespace

Lives lives_of(const Ledger& ledger) { return Reader().read(ledger); }

}  // namespace taskpipe::simulation
