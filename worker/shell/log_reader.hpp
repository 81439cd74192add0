// Reads older output of attempts from their files, for FETCH. On a thread of its own: the files may
// lie on a network file system that takes its time.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "common/process/beneath.hpp"
#include "worker/core/effect.hpp"
#include "worker/shell/command_sink.hpp"

namespace taskpipe::worker {

struct AttemptFolder {
  std::filesystem::path path;
  Attempt attempt;
};
// Of a task's newest attempt below `attempts_root` (see exec/attempt_directory.hpp); nothing when
// there is none.
[[nodiscard]] std::optional<AttemptFolder> newest_attempt_folder(
    const std::filesystem::path& attempts_root, const TaskId& task);

// At most limits::kMaxLogChunkBytes from the newest attempt's log; from its beginning, when the
// attempt that was asked for is an earlier one, and nothing yet, when it is a later one. `held`:
// the worker has an attempt of the task, waiting or running, so that the end of the file (or no
// file at all) is not the end of the stream. UNKNOWN_TASK when nothing is kept, STORAGE when the
// disk fails, or the file is not the attempt's own (`owner`, see process::open_beneath).
[[nodiscard]] std::variant<Chunk, Error> read_log(const std::filesystem::path& attempts_root,
                                                  const Fetch& fetch, bool held,
                                                  process::FileOwner owner = {});

class LogReader {
 public:
  LogReader(std::filesystem::path attempts_root, CommandMailbox& commands,
            process::FileOwner owner = {});
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;
  // Finishes the read that is under way and forgets the rest.
  ~LogReader();

  // Answered by command::LogRead. Any thread. BUSY when too many wait.
  void read(ReadLog request);

 private:
  void work();

  std::filesystem::path attempts_root_;
  CommandMailbox& commands_;
  process::FileOwner owner_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<ReadLog> requests_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace taskpipe::worker
