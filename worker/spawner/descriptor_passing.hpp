// Bytes that travel with descriptors over a unix socket (SCM_RIGHTS).
#pragma once

#include <sys/types.h>

#include <span>
#include <vector>

#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {

// As send(2), without SIGPIPE. `descriptors`: at most kMaxPassedDescriptors; may be empty.
inline constexpr std::size_t kMaxPassedDescriptors = 2;
[[nodiscard]] ssize_t send_with(int socket, std::span<const char> bytes,
                                std::span<const int> descriptors, int flags);

struct ReceivedDescriptors {
  // Some came, though perhaps without room for them: a set takes its place in the order all the
  // same.
  bool any = false;
  std::vector<Descriptor> all;  // close-on-exec
};
// As recv(2).
[[nodiscard]] ssize_t receive_with(int socket, std::span<char> bytes,
                                   ReceivedDescriptors& descriptors, int flags);

}  // namespace taskpipe::worker
