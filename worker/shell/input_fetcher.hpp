// Gets the input files of tasks from the broker's store, before their start.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <tl/expected.hpp>

#include "common/bulk/access.hpp"
#include "common/bulk/bulk_peer.hpp"
#include "common/model/ids.hpp"
#include "common/model/task.hpp"
#include "common/net/socket.hpp"
#include "worker/exec/executor.hpp"
#include "worker/shell/input_cache.hpp"

namespace taskpipe::worker {

class InputFetcher {
 public:
  // What the attempt gets, in the order of the task's inputs; or why it cannot start, naming file
  // and hash.
  using Fetched = tl::expected<std::vector<RunPlan::Input>, Error>;
  using Done = std::function<void(Fetched)>;

  // `context` and `access` must outlive it.
  InputFetcher(net::Context& context, const bulk::AccessHolder& access, InputCache cache,
               Millis patience);
  InputFetcher(const InputFetcher&) = delete;
  InputFetcher& operator=(const InputFetcher&) = delete;
  // Forgets what is not fetched yet.
  ~InputFetcher();

  // `done` runs once, on the fetcher's thread, unless `give_up` or the end comes first. Any thread.
  void fetch(const AttemptKey& attempt, TaskSpecPtr spec, Done done);
  // No effect once `done` is being called.
  void give_up(const AttemptKey& attempt);
  // Where the content of an input lies once it was fetched.
  [[nodiscard]] std::string cached(const std::string& sha256) const {
    return cache_.path_of(sha256);
  }

 private:
  struct Job {
    AttemptKey attempt;
    TaskSpecPtr spec;
    Done done;
  };
  void work(net::Context& context, const bulk::AccessHolder& access);
  [[nodiscard]] Fetched fetch_now(bulk::BulkPeer& peer, const Job& job);
  [[nodiscard]] tl::expected<void, Error> download(bulk::BulkPeer& peer, const Job& job);
  [[nodiscard]] bool is_wanted(const AttemptKey& attempt);

  InputCache cache_;
  Millis patience_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> queue_;
  AttemptKey fetching_;  // nil while nothing is, or it was given up
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace taskpipe::worker
