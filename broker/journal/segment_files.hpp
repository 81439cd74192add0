// The files of one journal folder: which segments and spares there are, how a segment comes to be
// and how it is recycled. Knows nothing of batches.
//
// Every change of a name is synced before the next one begins, so that a power loss finds the
// folder as it was before or after one step. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "broker/journal/disk.hpp"
#include "broker/journal/segment_folder.hpp"
#include "broker/journal/segment_format.hpp"
#include "broker/journal/segment_log_options.hpp"
#include "common/model/error.hpp"

namespace taskpipe::broker {

class SegmentFiles {
 public:
  // Makes the folder if need be, locks it, removes half-made files. `disk` must outlive this.
  // Errors name the path and the remedy.
  [[nodiscard]] static tl::expected<std::unique_ptr<SegmentFiles>, Error> open(
      Disk& disk, const SegmentLogOptions& options);

  // As `open` found it.
  [[nodiscard]] const SegmentFolder& folder() const { return folder_; }
  [[nodiscard]] DiskResult<std::unique_ptr<DiskFile>> open_segment(std::uint64_t generation);

  // All segments made from now on carry this id.
  void set_journal(JournalId journal) { journal_ = journal; }
  [[nodiscard]] JournalId draw_journal_id();

  // A segment ready for its first batch, which takes at most `batch_bytes`: of a spare, else made
  // on the spot whatever the configured bounds say.
  [[nodiscard]] DiskResult<Segment> make_segment(std::uint64_t generation, Lsn durable,
                                                 std::uint64_t batch_bytes);
  // Gives a segment up: it becomes a spare, or is removed where it does not fit as one.
  [[nodiscard]] DiskResult<> recycle(std::uint64_t generation, std::uint64_t file_bytes);

  // Makes spares until there are `wanted`, zero-filling about `budget_bytes` per call. Returns
  // whether there is more to do. Does nothing while there is no space.
  [[nodiscard]] DiskResult<bool> make_spares(std::size_t wanted, std::uint64_t budget_bytes);
  [[nodiscard]] std::size_t spares() const { return spares_.size(); }

  // How many bytes of new segments the file system and options.max_bytes still allow; as of the
  // last `refresh_space`, which also lets `make_spares` try again where it failed.
  [[nodiscard]] std::uint64_t creatable_bytes() const;
  [[nodiscard]] DiskResult<> refresh_space();

 private:
  struct Making {
    std::uint64_t number = 0;
    std::unique_ptr<DiskFile> file;
    std::uint64_t filled = 0;
    std::uint64_t bytes = 0;
  };

  SegmentFiles(Disk& disk, const SegmentLogOptions& options);
  [[nodiscard]] DiskResult<> make_folders();
  [[nodiscard]] DiskResult<> take_stock();
  [[nodiscard]] DiskResult<> keep_or_remove_spare(std::uint64_t number);
  [[nodiscard]] DiskResult<> begin_making(std::uint64_t bytes);
  [[nodiscard]] DiskResult<> fill(std::uint64_t budget_bytes);
  [[nodiscard]] DiskResult<> finish_making();
  [[nodiscard]] DiskResult<> abandon_making();
  [[nodiscard]] DiskResult<> ensure_spare();
  [[nodiscard]] DiskResult<FileName> file_for(std::uint64_t bytes);
  [[nodiscard]] DiskResult<> move(const FileName& from, const FileName& to);
  [[nodiscard]] DiskResult<> remove(const FileName& name);
  [[nodiscard]] std::size_t spare_limit() const;
  [[nodiscard]] std::uint64_t draw();

  Disk& disk_;
  SegmentLogOptions options_;
  SegmentFolder folder_;
  std::unique_ptr<DiskLock> lock_;
  std::vector<std::uint64_t> spares_;  // numbers, ascending; all of options_.segment_bytes
  std::optional<Making> making_;
  JournalId journal_;
  std::uint64_t next_spare_ = 1;
  std::uint64_t total_bytes_ = 0;  // of all files but the lock
  std::uint64_t free_bytes_ = 0;
  bool blocked_ = false;  // making a segment failed for lack of space since the last refresh
  std::uint64_t random_state_;
};

}  // namespace taskpipe::broker
