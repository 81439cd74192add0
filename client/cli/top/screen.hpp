// The terminal as a screen of lines, by ncurses. The terminal is as it was once this has gone, on
// whatever way: end, exception, or a signal that kills.
#pragma once

#include <signal.h>

#include <optional>
#include <vector>

#include "client/cli/console.hpp"
#include "client/cli/top/top_state.hpp"

namespace taskpipe::cli::top {

// Signals that a screen must hear of; blocked from here on. Made before any other thread is.
class ScreenSignals {
 public:
  ScreenSignals();  // throws std::system_error
  ScreenSignals(const ScreenSignals&) = delete;
  ScreenSignals& operator=(const ScreenSignals&) = delete;
  ~ScreenSignals();

  enum class Kind { none, resized, suspend, resumed };
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] Kind read();

 private:
  struct ::sigaction before_ {};  // of SIGTSTP
  int fd_ = -1;
};

// One at a time, and its methods on one thread.
class Screen {
 public:
  // Throws std::runtime_error where the terminal ($TERM) is not known or no terminal at all.
  explicit Screen(bool colours);
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen();

  [[nodiscard]] TerminalSize size() const;
  void draw(const std::vector<Line>& lines);
  // The next key that has been pressed; never waits.
  [[nodiscard]] std::optional<int> key();
  void resized();
  // Gives the terminal back, stops the process, and takes it again once it goes on.
  void suspend();
  // After a stop that nobody asked us about (SIGSTOP): whoever had the terminal meanwhile may have
  // set its modes and written over it.
  void resumed();

 private:
  bool colours_;
  void* screen_ = nullptr;  // SCREEN of ncurses, whose header defines too many macros
};

}  // namespace taskpipe::cli::top
