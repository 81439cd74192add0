// Who turns the client's I/O loop.
//
//           ask, grant                  leave, nothing is open
//   own ────────────────▶ caller ──────────────────────────────▶ nobody ──take──▶ caller
//    ▲                       │                                      │
//    └── leave, all others ──┴──── after kVacancy, or a request ────┘
//
// A caller that waits for the only open call serves the sockets itself meanwhile: its call then
// needs no switch between two threads, of which there would be two each way. As soon as anything
// else is open, or the connection is lost, the loop's own thread does, so that nobody depends on
// what a caller does next; and what keeps a session alive is done by that thread, at most twice
// kVacancy late.
//
// All methods from the thread that they are named for; none but `await` waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

#include "client/src/inbox.hpp"

namespace taskpipe::client {

class IoSeat {
 public:
  // After that long without a change the own thread takes a vacant one.
  static constexpr std::chrono::milliseconds kVacancy{100};

  // --- A caller. `inbox` says who it is.
  // True: it is the caller's. False: it may have been asked for, and `granted` will tell; the own
  // thread looks with the next request that is posted.
  [[nodiscard]] bool take_or_ask(Inbox& inbox);
  // Whether the own thread has left it to this caller. It is told by Inbox::poke.
  [[nodiscard]] bool granted(const Inbox& inbox) const;
  // No longer wanted, whether it was had or not. `idle`, which is called when it was had, says
  // that nothing is open or posted.
  void leave(const Inbox& inbox, const std::function<bool()>& idle);

  // --- Whoever has posted a request.
  void fill();

  // --- The own thread.
  // Until it is the own thread's.
  void await();
  [[nodiscard]] bool asked() const;
  // Answers; after a grant it is not the own thread's any more.
  void grant();
  void decline();

 private:
  enum class Holder : std::uint8_t { own, caller, nobody };

  void give_to_own();

  mutable std::mutex mutex_;
  std::condition_variable filled_;
  Holder holder_ = Holder::own;
  Inbox* asker_ = nullptr;     // wants it, or has it
  std::uint64_t changes_ = 0;  // of the holder
  bool own_sleeps_ = false;    // without looking whether it is vacant
};

}  // namespace taskpipe::client
