// What the history has to say to the loop, in an order that the loop can rely on.
//
// Two threads say it: the writer tells what is committed, and with that news the core lets go of
// those tasks; the reader tells what it found, and what it did not find nobody has. An answer that
// was read before a commit must not come after the news of it: a task that had moved to the history
// meanwhile would be in neither. So the news of a commit waits for the answer that is being read.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "broker/core/command.hpp"
#include "common/process/mailbox.hpp"

namespace taskpipe::broker {

class HistoryAnswers {
 public:
  // Reader thread: from here to `answered` it reads. Waits first while
  // limits::kMaxUnreadAnswerBytes of params and reports are not taken. False when closed.
  [[nodiscard]] bool begin_reading();
  void answered(command::LookupAnswered answer);
  // Any thread: `begin_reading` waits no more.
  void close();

  // Writer thread: everything up to here is in the history. Never waits.
  void committed(Lsn watermark);

  // Loop thread. Readable while there is something to take.
  [[nodiscard]] int fd() const { return mailbox_.fd(); }
  // Everything said so far, into `out` (cleared first).
  void take(std::vector<Command>& out);

 private:
  process::Mailbox<Command> mailbox_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::uint64_t unread_bytes_ = 0;  // of answers, not taken yet
  bool reading_ = false;
  bool closed_ = false;
  std::optional<Lsn> held_back_;  // committed while the present answer was being read
};

}  // namespace taskpipe::broker
