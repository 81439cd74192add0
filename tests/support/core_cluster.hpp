// A broker core with everything around it in memory, for tests: a journal that can lose its
// unsynced tail, a history, and scripted peers. Time stands still unless a test moves it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/broker_core.hpp"

namespace taskpipe::broker::testing {

class CoreCluster {
 public:
  explicit CoreCluster(BrokerConfig config = {});

  // --- Time and turns ---------------------------------------------------------------------------
  void advance(Millis duration);
  [[nodiscard]] const Now& now() const { return now_; }
  // Applies one command and TurnEnded; then everything appended is durable and released. Fails the
  // test when an invariant is broken.
  void apply(Command command);
  void end_turn() { finish_turn(); }

  // --- Restart ----------------------------------------------------------------------------------
  // A new core from the retained records, as after a crash: all sessions are gone.
  void restart();
  // The journal gives up its oldest `segments` records' worth by carrying forward; bounded steps.
  void collect_garbage(std::size_t images_per_step);
  // The history takes what has ended.
  void commit_history();
  // Turned off, ended tasks stay in memory until `commit_history`.
  bool auto_history = true;
  // Turned off for states so large that a look at all of it after each command takes too long.
  bool check_invariants = true;
  // Turned on, questions to the history wait for `answer_lookups`.
  bool hold_lookups = false;
  void answer_lookups();

  // --- Peers ------------------------------------------------------------------------------------
  SessionId connect_client(std::uint64_t routing, const std::string& user);
  SessionId connect_worker(std::uint64_t routing, const PeerUuid& uuid, const std::string& name,
                           WorkerOffer offer, std::uint64_t incarnation = 1,
                           bool fetches_inputs = true);
  void say(const Peer& peer, SessionId session, Message message, bool resend = false,
           Correlation correlation = Correlation{1});

  // What was delivered to a peer since the last take, in order.
  std::vector<Message> take(const Peer& peer);
  template <class T>
  std::vector<T> take_all(const Peer& peer) {
    std::vector<T> found;
    for (auto& message : take(peer)) {
      if (auto* wanted = std::get_if<T>(&message)) found.push_back(std::move(*wanted));
    }
    return found;
  }

  // Of the newest message to the peer.
  [[nodiscard]] Correlation last_correlation(const Peer& peer) const {
    return last_correlation_.at(peer);
  }

  [[nodiscard]] BrokerCore& core() { return *core_; }
  // Of the turn that is open: for tests that apply several commands in one.
  [[nodiscard]] Effects& effects() { return effects_; }
  [[nodiscard]] std::size_t retained_records() const { return journal_.size(); }
  [[nodiscard]] const std::deque<std::pair<Lsn, Record>>& journal() const { return journal_; }
  [[nodiscard]] const std::map<TaskId, FinishedTask>& history() const { return history_; }
  [[nodiscard]] const std::vector<Publish>& published() const { return published_; }
  // Ends of tasks in the order of their records, over all starts: for "exactly one terminal
  // result".
  [[nodiscard]] const std::map<TaskId, int>& terminal_records() const { return terminal_records_; }

 private:
  void start();
  void finish_turn();
  void carry_out();
  void answer(const HistoryLookup& lookup);
  [[nodiscard]] bool is_dead_letter(const FinishedTask& task) const;
  void answer_listing(const HistoryLookup::Listing& listing,
                      command::LookupAnswered& answered) const;

  BrokerConfig config_;
  Now now_;
  Epoch epoch_;
  std::unique_ptr<BrokerCore> core_;
  Effects effects_;
  std::deque<std::pair<Lsn, Record>> journal_;
  std::map<TaskId, FinishedTask> history_;
  std::map<WorkflowId, FinishedWorkflow> finished_workflows_;
  std::vector<HistoryLookup> held_lookups_;
  Lsn watermark_;
  std::map<Peer, std::vector<Message>> inbox_;
  std::map<Peer, Correlation> last_correlation_;
  std::vector<Publish> published_;
  std::map<TaskId, int> terminal_records_;
};

// A worker's offer of one tool with `cpus` cpus and as many slots.
[[nodiscard]] WorkerOffer offer_of(const std::string& tool, std::uint32_t cpus);
[[nodiscard]] TaskSpecPtr spec_of(const std::string& tool, std::int32_t priority = 0,
                                  std::uint32_t cpus = 0);
[[nodiscard]] Submit submit_of(const TaskSpecPtr& spec, const std::vector<TaskId>& ids);
[[nodiscard]] Outcome success();

}  // namespace taskpipe::broker::testing
