// The life of a guard's process: the attempt that it was forked for, then one after another of
// those that the spawner sends it, until its socket ends.
//
// Between two attempts it has no child, which is how it knows that the first is over, and holds no
// descriptor of it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "worker/spawner/guard.hpp"

namespace taskpipe::worker {

// One packet to a guard that waits: what a socket takes for sure. A larger SPAWN gets a new guard.
inline constexpr std::size_t kMaxGuardPacketBytes = 64U << 10U;

class GuardProcess {
 public:
  GuardProcess(GuardInheritance inherited, CgroupDriver& driver);
  GuardProcess(const GuardProcess&) = delete;
  GuardProcess& operator=(const GuardProcess&) = delete;

  // The caller, a fresh fork with all signals blocked, exits when it returns.
  void run(spawn_message::Spawn first, OutputEnds output);

 private:
  struct Assignment {
    spawn_message::Spawn spawn;
    OutputEnds output;
  };
  // 0, or errno.
  [[nodiscard]] int prepare(const OutputEnds& output);
  // Whether it may take another afterwards. Nothing of the assignment is left then.
  [[nodiscard]] bool serve(Assignment assignment);
  // Nothing when the spawner is gone, or what it sent is no message.
  [[nodiscard]] std::optional<Assignment> await_next();

  GuardInheritance inherited_;
  CgroupDriver& driver_;
  Descriptor signals_;
  std::string packet_;
};

// Hands `frame`, a SPAWN, and its two descriptors to a guard that waits. False when it cannot take
// them: another has to.
[[nodiscard]] bool assign(int guard_socket, std::string_view frame, const Descriptor& out,
                          const Descriptor& err);

}  // namespace taskpipe::worker
