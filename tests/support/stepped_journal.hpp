// The segment journal without its thread: it commits when the test or the simulator says so. Same
// format, same recovery, same promises; deterministic over a FakeDisk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <tl/expected.hpp>

#include "broker/journal/batch_buffer.hpp"
#include "broker/journal/disk.hpp"
#include "broker/journal/journal.hpp"
#include "broker/journal/segment_log.hpp"

namespace taskpipe::testing {

class SteppedJournal final : public broker::Journal {
 public:
  [[nodiscard]] static tl::expected<std::unique_ptr<SteppedJournal>, Error> open(
      broker::Disk& disk, const broker::SegmentLogOptions& options,
      const broker::ReplayCallback& replay);

  void append(Epoch epoch, Lsn first_lsn, std::span<const broker::Record> records) override;
  [[nodiscard]] Lsn appended() const override { return appended_; }
  [[nodiscard]] Lsn durable() const override { return durable_; }
  [[nodiscard]] Lsn synced() const override { return log_->synced(); }
  [[nodiscard]] broker::JournalUsage usage() const override;
  void release_before(Lsn lsn) override;

  // What the commit thread does in one round: write, sync, release, prepare. Nothing once failed.
  void step();
  void close();
  // The first failure, after which nothing advances.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] const broker::RecoveryReport& recovery() const { return log_->recovery(); }

 private:
  explicit SteppedJournal(std::unique_ptr<broker::SegmentLog> log);
  template <class T>
  [[nodiscard]] bool keep(const tl::expected<T, Error>& status) {
    if (!status) failure_ = status.error();
    return status.has_value();
  }

  std::unique_ptr<broker::SegmentLog> log_;
  broker::BatchBuffer buffer_;
  Epoch epoch_;
  Lsn appended_;
  Lsn durable_;
  Lsn release_wanted_;
  std::optional<Error> failure_;
};

}  // namespace taskpipe::testing
