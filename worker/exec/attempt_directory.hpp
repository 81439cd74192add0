// The folder in which an attempt runs, and the removal of old ones.
//
//   <root>/<task id, 32 hex digits>/<epoch>-<attempt>/    the attempt's working directory
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/process/beneath.hpp"
#include "worker/exec/executor.hpp"
#include "worker/exec/folder_in_use.hpp"
#include "worker/spawner/credentials.hpp"

namespace taskpipe::worker {

inline constexpr std::string_view kStdoutFile = "stdout.log";
inline constexpr std::string_view kStderrFile = "stderr.log";

// A fresh folder, held as in use until destruction. Movable value.
class AttemptDirectory {
 public:
  // Makes the folder, replacing an unused one of the same name, writes `files` and moves `inputs`
  // into it. Errors
  // are sentences naming the path and the remedy: STORAGE for the disk's refusals, INVALID for file
  // names that are absolute, climb out, repeat, or are those of the logs. With `run_as` the folder
  // and all that is in it belong to that user, and nobody else can enter it; what is above it stays
  // the worker's, so that the folder cannot be exchanged for something else.
  [[nodiscard]] static tl::expected<AttemptDirectory, Error> create(
      const std::string& root, const AttemptKey& attempt, const std::vector<RunPlan::File>& files,
      const std::vector<RunPlan::Input>& inputs = {}, const Credentials* run_as = nullptr);

  [[nodiscard]] const std::string& path() const { return path_; }
  // Whose files in there are the attempt's; nothing = whosever.
  [[nodiscard]] process::FileOwner owner() const { return owner_; }
  [[nodiscard]] std::string file(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  AttemptDirectory(std::string path, FolderInUse use)
      : path_(std::move(path)), use_(std::move(use)) {}

  std::string path_;
  process::FileOwner owner_;
  FolderInUse use_;
};

struct SweepResult {
  std::uint64_t kept_bytes = 0;  // allocated on disk by what remains
  std::uint64_t freed_bytes = 0;
  std::size_t kept = 0;  // attempts
  std::size_t removed = 0;
  std::vector<std::string> errors;  // what could not be removed; the sweep went on
};

// Removes attempts last written to more than `keep_age` ago, then, oldest first, until at most
// `keep_bytes` are used. Never one in use. Any thread; walks every file below
// `root`, so not on a loop's thread.
SweepResult sweep_attempts(const std::string& root, std::uint64_t keep_bytes,
                           std::chrono::seconds keep_age);

}  // namespace taskpipe::worker
