// The folder of one journal as a reader sees it: which files there are, and how they are opened
// without changing anything. Cheap to make.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "broker/journal/disk.hpp"
#include "broker/journal/segment_format.hpp"
#include "common/model/error.hpp"

namespace taskpipe::broker {

// One segment in use. `file` may be closed (null) once nothing more is written to it.
struct Segment {
  std::unique_ptr<DiskFile> file;
  std::uint64_t generation = 0;
  std::uint32_t checksum_seed = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t end = kSegmentHeaderBytes;  // where the next batch goes
  Lsn first;                                // 0 = holds no record
  Lsn last;            // of the journal when the segment was sealed, of the segment otherwise
  bool synced = true;  // everything written to it is on the medium

  [[nodiscard]] std::uint64_t room() const { return file_bytes - end; }
};

class SegmentFolder {
 public:
  // Of the broker's data folder. `disk` must outlive this.
  SegmentFolder(Disk& disk, const std::string& data_folder);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string lock_path() const;
  [[nodiscard]] std::string path_of(const FileName& name) const;
  [[nodiscard]] std::string path_of(std::uint64_t generation) const;

  // Every file of the journal; also notes which segments there are.
  [[nodiscard]] DiskResult<std::vector<FileName>> look();
  // Their generations, ascending, as of the last look.
  [[nodiscard]] const std::vector<std::uint64_t>& segments() const { return segments_; }

  [[nodiscard]] DiskResult<std::unique_ptr<DiskFile>> open(std::uint64_t generation,
                                                           OpenMode mode) const;
  // Keeps brokers out while a reader is at work, without writing. Null when no broker has ever
  // locked the folder. STORAGE, naming the holder, when a broker uses it.
  [[nodiscard]] tl::expected<std::unique_ptr<DiskLock>, Error> lock_for_reading() const;

  // What is said when somebody else has the lock.
  [[nodiscard]] Error held_by(const std::string& pid) const;

 private:
  Disk& disk_;
  std::string path_;
  std::vector<std::uint64_t> segments_;
};

}  // namespace taskpipe::broker
