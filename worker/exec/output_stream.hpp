// One output stream of an attempt: whole into a file, live in pieces, its end kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/model/messages.hpp"
#include "common/model/time.hpp"
#include "common/process/beneath.hpp"
#include "worker/exec/line_splitter.hpp"
#include "worker/exec/tail_buffer.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {

// Memory is bounded whatever the stream's length: the live copy holds at most
// limits::kMaxLogChunkBytes. When a tool prints more than that within limits::kOutputIntervalMs,
// readers of the live stream see a gap (offsets tell), and the file holds everything, up to
// `max_file_bytes`. The file is made with the first byte.
class OutputStream {
 public:
  struct Chunk {
    std::uint64_t offset = 0;
    std::string data;
  };

  // `pipe`: the non-blocking read end.
  // `owner`: whose the file shall be; nothing = the worker's.
  OutputStream(LogStream which, Descriptor pipe, std::string file, std::uint64_t max_file_bytes,
               process::FileOwner owner = {});

  [[nodiscard]] LogStream which() const { return which_; }
  // -1 after end-of-file.
  [[nodiscard]] int fd() const { return pipe_.get(); }

  // One read of at most `scratch_bytes`. True when there may be more. `on_line` gets the lines.
  template <class OnLine>
  bool read_once(char* scratch, std::size_t scratch_bytes, OnLine&& on_line) {
    const std::size_t got = read_pipe(scratch, scratch_bytes);
    if (got == 0) return false;
    lines_.feed({scratch, got}, on_line);
    return pipe_.valid();
  }
  // No more is read; the last unfinished line is passed on and the file closed.
  template <class OnLine>
  void finish(OnLine&& on_line) {
    lines_.finish(on_line);
    pipe_.reset();
    file_.reset();
  }

  // When a chunk may be taken; nothing while there is none.
  [[nodiscard]] std::optional<MonotonicTime> due() const;
  [[nodiscard]] std::optional<Chunk> take(MonotonicTime now);

  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::string tail_text() const { return tail_.text(); }
  // The errno that ended the writing of the file, or 0.
  [[nodiscard]] int file_error() const { return file_error_; }

 private:
  [[nodiscard]] std::size_t read_pipe(char* scratch, std::size_t scratch_bytes);
  void keep(std::string_view bytes);
  void write_file(std::string_view bytes);

  LogStream which_;
  Descriptor pipe_;
  std::string file_name_;
  std::uint64_t max_file_bytes_;
  process::FileOwner owner_;
  Descriptor file_;
  std::uint64_t file_bytes_ = 0;
  bool file_full_ = false;
  int file_error_ = 0;
  std::uint64_t total_bytes_ = 0;
  TailBuffer tail_;
  LineSplitter lines_;
  std::string live_;  // not yet taken; ends at total_bytes_
  MonotonicTime not_before_{};
};

}  // namespace taskpipe::worker
