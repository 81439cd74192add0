#include "worker/spawner/descriptor_passing.hpp"

#include <sys/socket.h>

#include <array>
#include <cassert>
#include <cstring>

namespace taskpipe::worker {
namespace {

// More than anybody sends, so that nothing is cut off unseen.
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(int) * kMaxPassedDescriptors * 4);

}  // namespace

ssize_t send_with(int socket, std::span<const char> bytes, std::span<const int> descriptors,
                  int flags) {
  assert(descriptors.size() <= kMaxPassedDescriptors);
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};  // NOLINT: only read
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxPassedDescriptors)> control{};
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  return ::sendmsg(socket, &header, MSG_NOSIGNAL | flags);
}

ssize_t receive_with(int socket, std::span<char> bytes, ReceivedDescriptors& descriptors,
                     int flags) {
  descriptors.any = false;
  descriptors.all.clear();
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | flags);
  if (got < 0) return got;
  descriptors.any = (header.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* piece = CMSG_FIRSTHDR(&header); piece != nullptr;
       piece = CMSG_NXTHDR(&header, piece)) {
    if (piece->cmsg_level != SOL_SOCKET || piece->cmsg_type != SCM_RIGHTS) continue;
    descriptors.any = true;
    const std::size_t count = (piece->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(piece) + i * sizeof(int), sizeof fd);
      descriptors.all.emplace_back(fd);
    }
  }
  return got;
}

}  // namespace taskpipe::worker
