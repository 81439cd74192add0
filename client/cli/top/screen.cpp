#include "client/cli/top/screen.hpp"

#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <curses.h>

#include "client/cli/interrupts.hpp"

namespace taskpipe::cli::top {

bool terminal_is_known();  // known_terminal.cpp

namespace {

// --- For a death that unwinds nothing ------------------------------------------------------------

constexpr std::array<int, 7> kDeadly = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGXCPU};
::termios cooked;
std::array<struct ::sigaction, kDeadly.size()> actions_before;

// Async-signal-safe alone: leaves the second screen, shows the cursor, ends colours.
void give_back() {
  constexpr std::string_view kLeave = "\x1b[?1049l\x1b[?25h\x1b[?1l\x1b>\x1b[0m\r\n";
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, kLeave.data(), kLeave.size());
  ::tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

void restore_and_die(int signal) {
  give_back();
  for (std::size_t i = 0; i < kDeadly.size(); ++i) {
    if (kDeadly[i] == signal) ::sigaction(signal, &actions_before[i], nullptr);
  }
  ::raise(signal);
}

::sigset_t screen_signals() {
  ::sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGWINCH, SIGTSTP, SIGCONT}) ::sigaddset(&set, signal);
  return set;
}

// --- Colours ------------------------------------------------------------------------------------

attr_t attribute_of(Tone tone, bool colours) {
  switch (tone) {
    case Tone::plain: return A_NORMAL;
    case Tone::strong: return A_BOLD;
    case Tone::faint: return A_DIM;
    default: break;
  }
  return colours ? COLOR_PAIR(static_cast<int>(tone) + 1) : A_NORMAL;
}

void define_colours() {
  start_color();
  use_default_colors();
  const auto define = [](Tone tone, int colour) {
    init_pair(static_cast<short>(static_cast<int>(tone) + 1), static_cast<short>(colour), -1);
  };
  define(Tone::good, COLOR_GREEN);
  define(Tone::bad, COLOR_RED);
  define(Tone::warning, COLOR_YELLOW);
  define(Tone::active, COLOR_CYAN);
}

int key_of(int code) {
  switch (code) {
    case KEY_UP: return Key::up;
    case KEY_DOWN: return Key::down;
    case KEY_PPAGE: return Key::page_up;
    case KEY_NPAGE: return Key::page_down;
    case KEY_HOME: return Key::home;
    case KEY_END: return Key::end;
    case KEY_BACKSPACE:
    case 0x7f:
    case '\b': return Key::backspace;
    case KEY_ENTER:
    case '\n':
    case '\r': return Key::enter;
    case 0x1b: return Key::escape;
    default: return code;
  }
}

}  // namespace

ScreenSignals::ScreenSignals() {
  // Each time it paints, ncurses ignores a SIGTSTP that has the default handler, and the kernel
  // then forgets one that is waiting to be read here. It lets the handlers of others be. Ours never
  // runs.
  struct ::sigaction never {};
  never.sa_handler = [](int) {};
  ::sigaction(SIGTSTP, &never, &before_);
  const ::sigset_t set = screen_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
}

ScreenSignals::~ScreenSignals() {
  ::close(fd_);
  ::sigaction(SIGTSTP, &before_, nullptr);
  const ::sigset_t set = screen_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

ScreenSignals::Kind ScreenSignals::read() {
  ::signalfd_siginfo info{};
  if (::read(fd_, &info, sizeof info) != sizeof info) return Kind::none;
  switch (info.ssi_signo) {
    case SIGTSTP: return Kind::suspend;
    case SIGCONT: return Kind::resumed;
    default: return Kind::resized;
  }
}

Screen::Screen(bool colours) : colours_(colours) {
  if (::tcgetattr(STDIN_FILENO, &cooked) != 0) throw std::runtime_error("the keyboard is missing");
  std::setlocale(LC_CTYPE, "");  // ncurses counts the columns of characters by it
  ::setenv("ESCDELAY", "50", 0);
  SCREEN* const made = terminal_is_known() ? newterm(nullptr, stdout, stdin) : nullptr;
  if (made == nullptr) {
    const char* const name = std::getenv("TERM");
    throw std::runtime_error("the terminal '" + std::string(name == nullptr ? "" : name) +
                             "' is not known here; set TERM, for example to xterm");
  }
  screen_ = made;
  cbreak();
  noecho();
  nonl();
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  curs_set(0);
  colours_ = colours_ && has_colors();
  if (colours_) define_colours();
  before_forced_exit = &give_back;
  struct ::sigaction deadly {};
  deadly.sa_handler = &restore_and_die;
  for (std::size_t i = 0; i < kDeadly.size(); ++i) {
    ::sigaction(kDeadly[i], &deadly, &actions_before[i]);
  }
}

Screen::~Screen() {
  before_forced_exit = nullptr;
  endwin();
  delscreen(static_cast<SCREEN*>(screen_));
  for (std::size_t i = 0; i < kDeadly.size(); ++i) {
    ::sigaction(kDeadly[i], &actions_before[i], nullptr);
  }
}

TerminalSize Screen::size() const {
  return {static_cast<std::size_t>(std::max(getmaxx(stdscr), 1)),
          static_cast<std::size_t>(std::max(getmaxy(stdscr), 1))};
}

void Screen::draw(const std::vector<Line>& lines) {
  erase();
  int y = 0;
  for (const Line& line : lines) {
    ::move(y++, 0);
    for (const Piece& piece : line.pieces) {
      ::attrset(static_cast<int>(attribute_of(piece.tone, colours_) |
                                 (line.marked ? A_REVERSE : A_NORMAL)));
      ::addnstr(piece.text.data(), static_cast<int>(piece.text.size()));
    }
  }
  ::attrset(A_NORMAL);
  ::refresh();
}

std::optional<int> Screen::key() {
  const int code = ::getch();
  if (code == ERR) return std::nullopt;
  return key_of(code);
}

void Screen::resized() {
  const TerminalSize now = terminal_size_of(STDOUT_FILENO);
  ::resizeterm(static_cast<int>(now.rows), static_cast<int>(now.columns));
}

void Screen::suspend() {
  endwin();
  ::raise(SIGSTOP);  // SIGCONT is heard of as `resumed`
}

// ncurses sets modes and paints anew when the first refresh follows endwin.
void Screen::resumed() {
  if (!isendwin()) endwin();
  resized();
  ::refresh();
}

}  // namespace taskpipe::cli::top
