#include "client/cli/input_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace taskpipe::cli {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : fd_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

// The option that names the file; an argument needs no name.
std::string said_by(const std::string& option) {
  return option == "FILE" ? "" : "--" + option + ": ";
}

Error unreadable(const std::string& path, int problem, const std::string& option) {
  const std::string name = path == "-" ? "standard input" : "'" + path + "'";
  return Error{ErrorCode::invalid,
               said_by(option) + "cannot read " + name + ": " + std::strerror(problem), option};
}

}  // namespace

tl::expected<std::string, Error> read_input_file(const std::string& path,
                                                 const std::string& option) {
  const Descriptor file(path);
  if (file.fd() < 0) return tl::unexpected(unreadable(path, errno, option));
  std::string text;
  std::array<char, std::size_t{64} << 10U> buffer{};
  for (;;) {
    const ssize_t count = ::read(file.fd(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(unreadable(path, errno, option));
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > kMaxInputFileBytes) {
      return tl::unexpected(Error{ErrorCode::too_big,
                                  said_by(option) + "'" + path + "' is larger than " +
                                      std::to_string(kMaxInputFileBytes >> 20U) + " MiB",
                                  option});
    }
  }
}

}  // namespace taskpipe::cli
