// Cuts a byte stream into lines for output parsers.
#pragma once

#include <string>
#include <string_view>

#include "common/model/limits.hpp"

namespace taskpipe::worker {

// A line ends with \n, \r\n or a lone \r (progress bars rewrite their line with it). Of longer
// lines the first limits::kMaxLineBytes are passed on, once, and the rest is dropped. Any bytes may
// occur. Holds at most one line; lines that lie within one piece of input are not copied.
class LineSplitter {
 public:
  // Calls `on_line(std::string_view)` for each line completed by `bytes`; the view dies with the
  // call.
  template <class OnLine>
  void feed(std::string_view bytes, OnLine&& on_line) {
    while (!bytes.empty()) {
      if (skip_newline_ && bytes.front() == '\n') bytes.remove_prefix(1);
      skip_newline_ = false;
      const std::size_t end = bytes.find_first_of("\r\n");
      const std::string_view piece = bytes.substr(0, end);
      if (end == std::string_view::npos) {
        hold(piece);
        return;
      }
      if (held_.empty()) {
        on_line(piece.substr(0, limits::kMaxLineBytes));
      } else {
        hold(piece);
        on_line(std::string_view(held_));
        held_.clear();
      }
      skip_newline_ = bytes[end] == '\r';
      bytes.remove_prefix(end + 1);
    }
  }

  // The last line of a stream that did not end with a newline.
  template <class OnLine>
  void finish(OnLine&& on_line) {
    if (!held_.empty()) on_line(std::string_view(held_));
    held_.clear();
    skip_newline_ = false;
  }

 private:
  void hold(std::string_view piece) {
    held_.append(piece.substr(0, limits::kMaxLineBytes - held_.size()));
  }

  std::string held_;  // the beginning of an unfinished line
  bool skip_newline_ = false;
};

}  // namespace taskpipe::worker
