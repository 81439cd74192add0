// The worker's end of the connection to its taskpipe-spawner: starts it, talks to it, notices its
// end. One thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/time.hpp"
#include "worker/spawner/credentials.hpp"
#include "worker/spawner/descriptor.hpp"
#include "worker/spawner/spawn_protocol.hpp"

namespace taskpipe::worker {

struct SpawnerOptions {
  std::string program;                  // the taskpipe-spawner executable
  std::string memory_control = "auto";  // auto, cgroup-v2, cgroup-v1, rlimit, none
  std::string cgroup_parent;            // empty = the worker's own group
  std::optional<Credentials> run_as{};  // nothing = as the worker itself
};

class SpawnerLink {
 public:
  // Starts the program and waits until it is ready, at most limits::kSpawnerStartMs. UNSUPPORTED
  // when it cannot be started, names the program and the remedy.
  [[nodiscard]] static tl::expected<std::unique_ptr<SpawnerLink>, Error> start(
      const SpawnerOptions& options);
  SpawnerLink(const SpawnerLink&) = delete;
  SpawnerLink& operator=(const SpawnerLink&) = delete;
  // Hangs up, upon which the spawner kills everything, and waits for that as `wait_until_gone`
  // does.
  ~SpawnerLink();

  [[nodiscard]] int fd() const { return socket_.get(); }
  // Readable (end-of-file) once the spawner and every process that guards an attempt are gone.
  [[nodiscard]] int lifeline_fd() const { return lifeline_.get(); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& memory_control() const { return memory_control_; }

  // Queued, in order; `flush` sends.
  void spawn(const spawn_message::Spawn& spawn, Descriptor stdout_end, Descriptor stderr_end);
  void stop(const spawn_message::Stop& stop);

  // Writes what the socket takes. False when the spawner is gone.
  [[nodiscard]] bool flush();
  [[nodiscard]] bool wants_write() const { return !outgoing_.empty(); }
  // Appends what has arrived. False when the spawner is gone.
  [[nodiscard]] bool receive(std::vector<SpawnMessage>& out);

  // Hangs up and waits until nothing is left, at most `limit`; then kills the spawner. Says how the
  // spawner ended, e.g. "was killed by SIGKILL". Idempotent.
  std::string wait_until_gone(Millis limit);

 private:
  struct Outgoing {
    std::string bytes;
    std::size_t sent = 0;
    std::array<Descriptor, kSpawnDescriptors> descriptors;  // go with the first byte
  };

  SpawnerLink() = default;
  [[nodiscard]] tl::expected<void, Error> launch(const SpawnerOptions& options);
  [[nodiscard]] tl::expected<void, Error> await_ready(const SpawnerOptions& options);
  [[nodiscard]] ssize_t send_front();

  pid_t pid_ = -1;
  Descriptor socket_;
  Descriptor lifeline_;
  std::string memory_control_;
  FrameReader reader_;
  std::deque<Outgoing> outgoing_;  // bounded by the attempts that run
  std::string ending_;
};

}  // namespace taskpipe::worker
