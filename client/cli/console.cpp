#include "client/cli/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>

namespace taskpipe::cli {
namespace {

constexpr std::size_t kBufferBytes = 16U << 10U;
constexpr std::size_t kLeastColumns = 20;  // narrower terminals are taken for this
constexpr std::size_t kLeastRows = 4;

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

}  // namespace

TextStyle Console::style() const {
  return {out_is_terminal ? terminal_size().columns : 0, colours, unicode};
}

void Console::complain(std::string_view text) { err << text << '\n' << std::flush; }

void Console::hint(std::string_view text) {
  if (err_is_terminal) complain(text);
}

DescriptorBuffer::DescriptorBuffer(int fd) : fd_(fd), buffer_(kBufferBytes) {
  setp(buffer_.data(), buffer_.data() + buffer_.size());
}

bool DescriptorBuffer::drain() {
  const char* from = pbase();
  while (from < pptr() && problem_ == 0) {
    const ssize_t count = ::write(fd_, from, static_cast<std::size_t>(pptr() - from));
    if (count >= 0) {
      from += count;
    } else if (errno != EINTR) {
      problem_ = errno;
    }
  }
  setp(buffer_.data(), buffer_.data() + buffer_.size());
  return problem_ == 0;
}

DescriptorBuffer::int_type DescriptorBuffer::overflow(int_type c) {
  if (!drain()) return traits_type::eof();
  if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
  return traits_type::not_eof(c);
}

int DescriptorBuffer::sync() { return drain() ? 0 : -1; }

bool wants_colours(std::string_view choice, bool is_terminal) {
  if (choice == "always") return true;
  if (choice == "never") return false;
  return is_terminal && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = variable(name);
    if (value.empty()) continue;
    std::string upper(value);
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return upper.find("UTF-8") != std::string::npos || upper.find("UTF8") != std::string::npos;
  }
  return false;
}

TerminalSize terminal_size_of(int fd) {
  TerminalSize size;
  ::winsize found{};
  if (::ioctl(fd, TIOCGWINSZ, &found) == 0 && found.ws_col > 0 && found.ws_row > 0) {
    size.columns = std::max<std::size_t>(found.ws_col, kLeastColumns);
    size.rows = std::max<std::size_t>(found.ws_row, kLeastRows);
  }
  return size;
}

}  // namespace taskpipe::cli
