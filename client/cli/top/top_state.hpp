// What `taskpipe top` knows and shows. Pure: events, answers and keys go in, lines come out; clock
// and terminal are arguments.
//
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/cli/console.hpp"
#include "client/cli/display_text.hpp"
#include "client/cli/progress_summary.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::cli::top {

// Ended tasks are kept up to this, then the oldest are forgotten; so are waiting ones.
inline constexpr std::size_t kMostEndedTasks = 500;
inline constexpr std::size_t kMostWaitingTasks = 2000;
inline constexpr std::size_t kMostLogLines = 2000;
inline constexpr std::size_t kMostLogLineBytes = 1000;
inline constexpr std::size_t kMostFilterBytes = 64;

enum class SortBy : std::uint8_t { state, tool, progress, run_time, worker, age };
inline constexpr std::size_t kSortOrders = 6;
[[nodiscard]] std::string_view name_of(SortBy order);

enum class Mode : std::uint8_t { table, typing_filter, confirming_cancel, log, help };

// Keys that are no characters.
enum Key : int {
  up = -1,
  down = -2,
  page_up = -3,
  page_down = -4,
  home = -5,
  end = -6,
  backspace = -7,
  escape = -8,
  enter = -9
};

// What a key asks of the shell.
struct Wish {
  enum class Kind : std::uint8_t { nothing, quit, cancel, open_log, close_log, refresh };
  Kind kind = Kind::nothing;
  TaskId task{};
  LogStream stream = LogStream::out;
};

// A piece of a line in one tone; and a line of them.
struct Piece {
  std::string text;
  Tone tone = Tone::plain;
};
struct Line {
  std::vector<Piece> pieces;
  bool marked = false;  // the chosen row
  [[nodiscard]] std::string text() const;
};

struct TopTask {
  TaskRow row;
  std::optional<Millis> started{};  // on the clock of `now`, while it runs
  std::uint64_t arrival = 0;        // order in which it was heard of
};

class TopState {
 public:
  explicit TopState(std::string broker) : broker_(std::move(broker)) {}

  // --- What is heard. `now` is a steady clock, `wall` the same moment.
  void begin_listing();  // what is not listed again until `end_listing` has gone
  void list(const TaskRow& row, WallTime wall, Millis now);
  void end_listing();
  void apply(const TaskEvent& event, Millis now);
  void set_health(HealthReply health);
  void set_workers(std::vector<WorkerRow> workers);
  void add_log(std::string_view data);
  void say(std::string text);  // in the last line, until the next key

  // --- Keys
  [[nodiscard]] Wish press(int key);

  // --- The screen: exactly `size.rows` lines, each at most `size.columns` wide.
  [[nodiscard]] std::vector<Line> lines(TerminalSize size, bool unicode, Millis now);

  [[nodiscard]] Mode mode() const { return mode_; }
  [[nodiscard]] std::optional<TaskId> chosen() const { return chosen_; }

 private:
  [[nodiscard]] std::vector<const TopTask*> visible(Millis now) const;
  [[nodiscard]] bool passes_filter(const TaskRow& row) const;
  void forget_old();
  void move(std::ptrdiff_t rows);
  Wish press_in_table(int key);
  Wish press_in_filter(int key);
  Wish press_in_log(int key);
  Wish ask_about_chosen(int key);

  void add_header(std::vector<Line>& lines, bool unicode) const;
  void add_table(std::vector<Line>& lines, TerminalSize size, bool unicode, Millis now);
  void add_log_lines(std::vector<Line>& lines, TerminalSize size);
  [[nodiscard]] Line last_line() const;

  std::string broker_;
  std::unordered_map<TaskId, TopTask> tasks_;
  std::unordered_map<TaskId, bool> listed_;  // during a listing
  bool listing_ = false;
  std::uint64_t arrivals_ = 0;
  std::uint64_t ended_ok_ = 0;  // since the start, from events
  std::uint64_t ended_badly_ = 0;
  std::optional<HealthReply> health_;
  std::vector<WorkerRow> workers_;

  Mode mode_ = Mode::table;
  SortBy sort_ = SortBy::state;
  bool reversed_ = false;
  bool show_workers_ = true;
  std::string filter_;
  std::optional<TaskId> chosen_;
  bool chosen_by_hand_ = false;  // else it is the first row, whatever comes there
  TaskId cancel_task_{};         // that a confirmation is about
  std::vector<TaskId> order_;    // of the rows drawn last
  std::size_t first_row_ = 0;
  std::size_t table_rows_ = 1;
  std::string said_;

  TaskId log_task_{};
  LogStream log_stream_ = LogStream::out;
  std::deque<std::string> log_;
  bool log_line_open_ = false;
  std::size_t log_back_ = 0;  // lines scrolled up from the end
};

}  // namespace taskpipe::cli::top
