// Brings what attempts leave into the broker's store, before their results are told: who learns of
// a success finds the artifacts.
//
// A few threads, so that a large file of one attempt does not hold up the small ones of others.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "common/bulk/access.hpp"
#include "common/bulk/bulk_peer.hpp"
#include "common/model/time.hpp"
#include "common/net/socket.hpp"
#include "common/process/logging.hpp"
#include "worker/exec/artifact_keeper.hpp"

namespace taskpipe::worker {

struct UploaderOptions {
  Millis patience{0};
  std::string shared_dir;  // artifacts below it are where they belong already; empty = none is
};

// Marks what is shared, or already known to the client, and returns the places of what has to be
// uploaded. Not uploaded: empty files, and the logs that fit into the report. Pure.
[[nodiscard]] std::vector<std::size_t> mark_artifacts(RunReport& report,
                                                      const std::string& shared_dir);

class ArtifactUploader final : public ArtifactKeeper {
 public:
  // Until `open` everything stays where it is. (The executor, which needs this, is made before any
  // ZeroMQ context.)
  ArtifactUploader(UploaderOptions options, process::Logger& logger);
  ~ArtifactUploader() override;

  void open(net::Context& context, const bulk::AccessHolder& access);
  // Hands back everything, uploaded or not; from here on as before `open`. Before the context ends.
  void close();

  void keep(FinishJob job, Done done) override;
  void give_up(RunNumber run) override;

 private:
  struct Job {
    FinishJob finish;
    Done done;
    std::vector<std::size_t> wanted;  // artifacts
  };

  void work(net::Context& context, const bulk::AccessHolder& access);
  void upload(bulk::BulkPeer& peer, Job& job);
  [[nodiscard]] bool is_wanted(RunNumber run);
  static void hand_back(Job job, const std::string& why);

  UploaderOptions options_;
  process::Logger& logger_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> queue_;
  std::unordered_set<RunNumber> uploading_;
  std::unordered_set<RunNumber> given_up_;
  bool open_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace taskpipe::worker
