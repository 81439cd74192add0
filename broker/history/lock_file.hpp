// Keeps a second broker out of a file. A lock of its own beside the file, since SQLite's are meant
// for transactions and would keep people's tools out as well.
#pragma once

#include <filesystem>

namespace taskpipe::broker {

class LockFile {
 public:
  // Throws std::runtime_error when another process (or another LockFile) holds the lock, naming its
  // pid, or when the file cannot be created. The lock goes with the process, however it ends; the
  // file stays.
  explicit LockFile(const std::filesystem::path& path);
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

 private:
  int fd_ = -1;
};

}  // namespace taskpipe::broker
