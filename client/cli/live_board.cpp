#include "client/cli/live_board.hpp"

#include <algorithm>
#include <chrono>

#include "client/cli/progress_lines.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::cli {
namespace {

constexpr Millis kLeastGap{100};
constexpr Millis kLongestSilence{1000};

Millis steady_now() {
  return std::chrono::duration_cast<Millis>(process::read_clock().monotonic.since_start);
}

// Columns without the escape sequences that `painted` adds.
std::size_t plain_width(const std::string& line) {
  std::string plain;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      i = std::min(line.find('m', i), line.size());
    } else {
      plain += line[i];
    }
  }
  return display_width(plain);
}

}  // namespace

std::string Redraw::frame(const std::vector<std::string>& lines, TerminalSize size) {
  std::size_t rows = 0;
  for (const std::size_t width : drawn_columns_) {
    rows += std::max<std::size_t>(1, (width + size.columns - 1) / size.columns);
  }
  std::string text;
  if (rows > 0) text += "\r\x1b[" + std::to_string(std::min(rows, size.rows - 1)) + "A";
  drawn_columns_.clear();
  for (const std::string& line : lines) {
    text += line + "\x1b[K\n";  // K: to the end of the line, what an earlier frame left there
    drawn_columns_.push_back(plain_width(line));
  }
  text += "\x1b[J";  // what is below: lines of an earlier, longer frame
  return text;
}

LiveBoard::LiveBoard(Console& console, Progress& progress)
    : console_(console), progress_(progress), thread_([this] { run(); }) {}

LiveBoard::~LiveBoard() { finish(); }

void LiveBoard::update(const std::function<void(Progress&)>& change) {
  const std::lock_guard lock(mutex_);
  change(progress_);
  if (changed_) return;  // it will draw anyway: no need to wake it for every event
  changed_ = true;
  wake_.notify_one();
}

void LiveBoard::finish() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    wake_.notify_one();
  }
  thread_.join();
  draw();
}

void LiveBoard::run() {
  std::unique_lock lock(mutex_);
  while (!finished_) {
    draw();
    changed_ = false;
    wake_.wait_for(lock, kLeastGap, [this] { return finished_; });
    wake_.wait_for(lock, kLongestSilence - kLeastGap, [this] { return finished_ || changed_; });
  }
}

void LiveBoard::draw() {
  const TerminalSize size = console_.terminal_size();
  // One column less than there are: in the last one terminals differ about wrapping.
  const TextStyle style{size.columns - 1, console_.colours, console_.unicode};
  const Millis now = steady_now();
  if (!pace_) pace_.emplace(tally_of(progress_.tasks()), now);
  const auto lines = board_lines(progress_.tasks(), size.rows - 2, style, now, *pace_);
  console_.out << redraw_.frame(lines, size) << std::flush;
}

}  // namespace taskpipe::cli
