// One file on its way into the broker's store. Reads the file; the messages are another's to send.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "common/process/file.hpp"

namespace taskpipe::bulk {

struct UploadFile {
  std::string path;
  std::string sha256;
  std::uint64_t size_bytes = 0;
  // How it is opened; null: by its path. Errors are errno values.
  std::function<tl::expected<process::File, int>()> open{};
};

class Upload {
 public:
  explicit Upload(UploadFile file) : file_(std::move(file)) {}

  // First of all, and again after each reconnect.
  [[nodiscard]] Put begin();
  void on_state(const PutState& state);
  // The next piece, as far as the credit reaches. INVALID when the file cannot be read or has
  // become shorter.
  [[nodiscard]] tl::expected<std::optional<PutData>, Error> next();
  // The store says that what it has got is another content: once, when part of it was there before.
  [[nodiscard]] bool may_start_over();

  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] const UploadFile& file() const { return file_; }
  // What the broker is known to have taken.
  [[nodiscard]] std::uint64_t taken_bytes() const { return taken_; }
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_total_; }

 private:
  UploadFile file_;
  process::File open_;
  bool asked_ = true;  // the first PUT_STATE is awaited
  bool done_ = false;
  bool resumed_ = false;
  std::uint64_t next_ = 0;
  std::uint64_t credit_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t sent_total_ = 0;  // over all connections
};

}  // namespace taskpipe::bulk
