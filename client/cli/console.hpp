// Where the program writes, and what it knows about the other side.
//
// stdout carries what was asked for, stderr what is said about it. The live board writes from a
// thread of its own while a call is in progress; nothing else writes during that time.
#pragma once

#include <cstddef>
#include <functional>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/display_text.hpp"
#include "client/cli/table.hpp"

namespace taskpipe::cli {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

struct Console {
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool colours = false;  // on stdout
  bool unicode = true;
  std::function<TerminalSize()> terminal_size = [] { return TerminalSize{}; };  // now

  // For tables on stdout: cut to the terminal, as wide as needed for a pipe.
  [[nodiscard]] TextStyle style() const;

  // A line on stderr.
  void complain(std::string_view text);
  // A line on stderr for a person at a terminal, who may want to know what to do next.
  void hint(std::string_view text);
};

// Writes to a descriptor and remembers why it could not. Not shared between threads.
class DescriptorBuffer final : public std::streambuf {
 public:
  explicit DescriptorBuffer(int fd);
  // errno of the first failed write; 0 = none.
  [[nodiscard]] int problem() const { return problem_; }

 protected:
  int_type overflow(int_type c) override;
  int sync() override;

 private:
  bool drain();

  int fd_;
  int problem_ = 0;
  std::vector<char> buffer_;
};

// "auto": a terminal, and neither NO_COLOR nor TERM=dumb is set.
[[nodiscard]] bool wants_colours(std::string_view choice, bool is_terminal);

// Whether the environment's locale says UTF-8 (LC_ALL, LC_CTYPE, LANG, in this order).
[[nodiscard]] bool locale_is_utf8();

// Of the terminal behind `fd`; 80 × 24 when it does not say.
[[nodiscard]] TerminalSize terminal_size_of(int fd);

}  // namespace taskpipe::cli
