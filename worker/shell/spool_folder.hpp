// Results on disk, between the end of a process and the broker's acknowledgement.
//
// One file per result, `<task id>-<epoch>-<attempt>.result`, written beside its final name, synced
// and renamed, so that a file that has its name is whole. What is in it:
//
//   "TPSPOOL1" | frame count u32 | frame lengths u32 × count | frames | XXH3-128 of all before
//
// little-endian; the frames are those of a RESULT message with the one item. A file that cannot be
// read all the same (a failing disk, another hand) is set aside as `….corrupt` and never deleted.
//
// Not thread-safe: load it in main, then give it to the SpoolThread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::worker {

class SpoolFolder {
 public:
  // Makes the folder when there is none. STORAGE naming the folder when that fails.
  [[nodiscard]] static tl::expected<SpoolFolder, Error> open(std::filesystem::path folder);

  struct Loaded {
    std::vector<ResultItem> results;    // ordered by file name
    std::vector<std::string> warnings;  // sentences: what was set aside, and why
  };
  // Reads everything and removes what an interrupted write left. O(bytes on disk).
  [[nodiscard]] tl::expected<Loaded, Error> load();

  // Writes and syncs the file; its name survives a power loss only after `sync`. STORAGE.
  [[nodiscard]] tl::expected<void, Error> write(const ResultItem& result);
  [[nodiscard]] tl::expected<void, Error> sync();
  // A file that is not there is no error.
  void remove(const AttemptKey& attempt);

  [[nodiscard]] std::filesystem::path file_of(const AttemptKey& attempt) const;

 private:
  explicit SpoolFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
};

}  // namespace taskpipe::worker
