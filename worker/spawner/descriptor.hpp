// An owned file descriptor, and the few descriptor operations that both sides of a spawn need.
#pragma once

#include <span>
#include <string>
#include <utility>

namespace taskpipe::worker {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Closes every descriptor from 3 upwards that is not in `keep` (in any order).
void close_all_except(std::span<const int> keep);

// At most `max_bytes` of a small file (/proc, cgroup); empty when it cannot be read.
[[nodiscard]] std::string read_small_file(const std::string& path, std::size_t max_bytes = 65'536);
// 0, or errno. One write: what control files expect.
[[nodiscard]] int write_small_file(const std::string& path, const std::string& text);

}  // namespace taskpipe::worker
