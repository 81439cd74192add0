#include "worker/spawner/guard_process.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>
#include <variant>

#include "worker/spawner/descriptor_passing.hpp"

namespace taskpipe::worker {

GuardProcess::GuardProcess(GuardInheritance inherited, CgroupDriver& driver)
    : inherited_(std::move(inherited)), driver_(driver) {}

void GuardProcess::run(spawn_message::Spawn first, OutputEnds output) {
  if (const int error = prepare(output)) {
    const std::string report =
        encode(spawn_message::SpawnFailed{first.run, SpawnStage::guard, error, ""});
    (void)send_with(inherited_.socket, report, {}, 0);
    return;
  }
  std::optional<Assignment> next(Assignment{std::move(first), std::move(output)});
  while (next && serve(*std::exchange(next, std::nullopt))) next = await_next();
}

bool GuardProcess::serve(Assignment assignment) {
  Guard guard(assignment.spawn, std::move(assignment.output), inherited_, signals_, driver_);
  guard.run();
  return !guard.must_exit();
}

int GuardProcess::prepare(const OutputEnds& output) {
  const std::array<int, 4> keep = {inherited_.socket, inherited_.lifeline, output.out.get(),
                                   output.err.get()};
  // Above all the spawner's ends of other guards' sockets: they would never see end-of-file.
  close_all_except(keep);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return errno;
  sigset_t mask;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGCHLD);
  signals_.reset(::signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
  return signals_.valid() ? 0 : errno;
}

std::optional<GuardProcess::Assignment> GuardProcess::await_next() {
  packet_.resize(kMaxGuardPacketBytes);
  ReceivedDescriptors descriptors;
  while (true) {
    const ssize_t got = receive_with(inherited_.socket, packet_, descriptors, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    auto message = decode_frame({packet_.data(), static_cast<std::size_t>(got)});
    // It may have been an attempt, which the end of this process reports as lost.
    if (!message) return std::nullopt;
    auto* spawn = std::get_if<spawn_message::Spawn>(&*message);
    if (spawn == nullptr) continue;  // a STOP for what has ended
    Assignment next{std::move(*spawn), {}};
    if (descriptors.all.size() == kSpawnDescriptors) {
      next.output = {std::move(descriptors.all[0]), std::move(descriptors.all[1])};
    }  // else there was no room for them, and the start fails for its output
    return next;
  }
}

bool assign(int guard_socket, std::string_view frame, const Descriptor& out,
            const Descriptor& err) {
  if (frame.size() > kMaxGuardPacketBytes) return false;
  const std::array<int, kSpawnDescriptors> descriptors = {out.get(), err.get()};
  return send_with(guard_socket, frame, descriptors, MSG_DONTWAIT) >= 0;
}

}  // namespace taskpipe::worker
