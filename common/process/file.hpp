// A file that is open: closed by its destructor, read and written whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace taskpipe::process {

// Errors are errno values.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~File();

  // `flags` and `mode` as of open(2); O_CLOEXEC is added.
  [[nodiscard]] static tl::expected<File, int> open(const std::string& path, int flags,
                                                    unsigned mode = 0644);

  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }

  // How many bytes were read: fewer than asked for only at the end of the file.
  [[nodiscard]] tl::expected<std::size_t, int> read_at(std::uint64_t offset,
                                                       std::span<std::byte> into) const;
  // 0, or why not all of it is there.
  [[nodiscard]] int write_at(std::uint64_t offset, std::span<const std::byte> bytes) const;
  [[nodiscard]] tl::expected<std::uint64_t, int> size() const;

 private:
  int fd_ = -1;
};

}  // namespace taskpipe::process
