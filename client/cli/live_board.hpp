// Progress bars on a terminal, redrawn in place.
//
// A thread of its own draws: at most ten times a second while things change, once a second
// otherwise, so that clocks run while nothing is reported. From construction to `finish` nobody
// else may write to the console.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/cli/console.hpp"
#include "client/cli/progress.hpp"
#include "client/cli/progress_summary.hpp"

namespace taskpipe::cli {

// The escape sequences that replace the lines drawn last by `lines`. A terminal that was made
// narrower since has wrapped them into more rows: the widths of what was drawn tell how many.
class Redraw {
 public:
  [[nodiscard]] std::string frame(const std::vector<std::string>& lines, TerminalSize size);

 private:
  std::vector<std::size_t> drawn_columns_;  // width of each line that stands above the cursor
};

class LiveBoard {
 public:
  LiveBoard(Console& console, Progress& progress);
  LiveBoard(const LiveBoard&) = delete;
  LiveBoard& operator=(const LiveBoard&) = delete;
  // As `finish`.
  ~LiveBoard();

  // Runs `change` while the board does not read the progress, and has it drawn soon.
  void update(const std::function<void(Progress&)>& change);
  // Draws a last time and ends the thread. The lines stay.
  void finish();

 private:
  void run();
  void draw();  // with the lock held

  Console& console_;
  Progress& progress_;
  Redraw redraw_;
  std::optional<Pace> pace_;  // since the first frame
  std::mutex mutex_;
  std::condition_variable wake_;
  bool changed_ = true;
  bool finished_ = false;
  std::thread thread_;
};

}  // namespace taskpipe::cli
