// Results on disk, between the end of a process and the broker's acknowledgement.
//
// One file per result, `<task id>-<epoch>-<attempt>.result`, written beside its final name and
// renamed: when the worker dies, a file that has its name is whole. Only what is synced survives a
// power loss; a file that has its name and not its content is noticed by the checksum. What is in
// it:
//
//   "TPSPOOL1" | frame count u32 | frame lengths u32 × count | frames | XXH3-128 of all before
//
// little-endian; the frames are those of a RESULT message with the one item. A file that cannot be
// read all the same (a failing disk, another hand) is set aside as `….corrupt` and never deleted.
//
// The file of a result that was acknowledged is renamed to `spare-<n>.unfinished` and holds a later
// one: to make and to delete a file each time costs the disk several times the writing. After a
// power loss the old name may be back, and is set aside for what it holds: nothing that was synced
// and not acknowledged.
//
// Not thread-safe: load it in main, then give it to the SpoolThread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {

// Files that wait for another result; what is beyond these bounds is deleted.
inline constexpr std::size_t kMaxSpareSpoolFiles = 64;
inline constexpr std::uint64_t kMaxSpareSpoolFileBytes = 64U << 10U;

class SpoolFolder {
 public:
  // Makes the folder when there is none. STORAGE naming the folder when that fails.
  [[nodiscard]] static tl::expected<SpoolFolder, Error> open(std::filesystem::path folder);

  struct Loaded {
    std::vector<ResultItem> results;    // ordered by file name
    std::vector<std::string> warnings;  // sentences: what was set aside, and why
  };
  // Reads everything, removes what an interrupted write left, and syncs the rest. O(bytes on disk).
  [[nodiscard]] tl::expected<Loaded, Error> load();

  // Survives the end of this process, and a power loss only after `sync`. STORAGE.
  [[nodiscard]] tl::expected<void, Error> write(const ResultItem& result);
  // Of those that were written and not removed; one sync for each, and one of the folder. STORAGE.
  [[nodiscard]] tl::expected<void, Error> sync(std::span<const AttemptKey> attempts);
  // A file that is not there is no error.
  void remove(const AttemptKey& attempt);

  [[nodiscard]] std::filesystem::path file_of(const AttemptKey& attempt) const;

 private:
  explicit SpoolFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  // A file to be written over or, where there is none, a new one; with its name.
  [[nodiscard]] std::pair<Descriptor, std::filesystem::path> open_unfinished(
      const std::filesystem::path& final_name);

  std::filesystem::path folder_;
  std::vector<std::filesystem::path> spares_;
  std::uint64_t next_spare_ = 1;
};

}  // namespace taskpipe::worker
