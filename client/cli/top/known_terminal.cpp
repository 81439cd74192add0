// By itself: <term.h> defines macros with everyday names ("lines", "columns").
#include <unistd.h>

#include <curses.h>
#include <term.h>

namespace taskpipe::cli::top {

// Asked before ncurses starts, which does not give back what it took when $TERM is unknown.
bool terminal_is_known() {
  int problem = 0;
  if (setupterm(nullptr, STDOUT_FILENO, &problem) != OK) return false;
  del_curterm(cur_term);
  return true;
}

}  // namespace taskpipe::cli::top
