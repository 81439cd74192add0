// Which attempts' folders this process uses, so that none is swept or begun anew under its tool.
// Nobody else's matter: a work folder is one worker's at a time (shell/worker_identity.hpp), and
// what a dead one used is free. So it takes no lock file, which would cost as much as the folder.
#pragma once

#include <optional>
#include <string>

namespace taskpipe::worker {

// Holds one folder until destruction. Movable value; any thread.
class FolderInUse {
 public:
  // Nothing when it is in use already. `path`: as AttemptDirectory::path.
  [[nodiscard]] static std::optional<FolderInUse> claim(std::string path);

  FolderInUse(FolderInUse&& other) noexcept;
  FolderInUse& operator=(FolderInUse&& other) noexcept;
  FolderInUse(const FolderInUse&) = delete;
  FolderInUse& operator=(const FolderInUse&) = delete;
  ~FolderInUse();

 private:
  explicit FolderInUse(std::string path) : path_(std::move(path)) {}
  void release();

  std::string path_;  // empty: holds nothing
};

}  // namespace taskpipe::worker
