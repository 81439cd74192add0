// One file on its way out of the broker's store: written beside its final place, verified, then
// renamed, so that what carries the final name is always whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "common/process/file.hpp"
#include "common/process/sha256.hpp"

namespace taskpipe::bulk {

struct DownloadFile {
  std::string sha256;
  std::uint64_t size_bytes = 0;
  std::string path;  // where it goes; the part that is there already lies at `path`.part
  bool executable = false;
};

class Download {
 public:
  explicit Download(DownloadFile file) : file_(std::move(file)) {}

  // Takes up what an earlier download has left: reads all of it. STORAGE when the place cannot be
  // written.
  [[nodiscard]] tl::expected<void, Error> prepare();
  // First of all, and again after each reconnect.
  [[nodiscard]] Get begin();
  // Writes it; the credit to grant, if it is time. STORAGE when it cannot be written, INVALID for
  // what does not fit.
  [[nodiscard]] tl::expected<std::optional<GetCredit>, Error> on_data(const GetData& data);
  // Everything is there: checks the hash, gives the file its name. INVALID when the content is
  // another; then the part is gone.
  [[nodiscard]] tl::expected<void, Error> finish();
  // Once, when part of it was there before.
  [[nodiscard]] bool may_start_over();

  [[nodiscard]] bool complete() const { return written_ == file_.size_bytes; }
  [[nodiscard]] const DownloadFile& file() const { return file_; }
  [[nodiscard]] std::uint64_t written_bytes() const { return written_; }
  [[nodiscard]] std::string part_path() const { return file_.path + ".part"; }

 private:
  [[nodiscard]] tl::expected<void, Error> take_up();

  DownloadFile file_;
  process::File part_;
  process::Sha256 hash_;
  bool resumed_ = false;
  std::uint64_t written_ = 0;
  std::uint64_t credit_ = 0;
};

}  // namespace taskpipe::bulk
