// The journal of the broker: a SegmentLog behind a thread that commits in groups.
//
// `append` encodes into a buffer in memory and returns; the commit thread takes everything that has
// been appended so far, writes it, syncs it once and reports how far the journal is durable. While
// it waits for the disk the next group gathers, so that groups grow with the load by themselves.
// Between groups the thread prepares the segments that will be needed, and recycles old ones.
//
//   SegmentJournal::Hooks hooks{.on_durable = …, .on_failure = …};
//   auto journal = SegmentJournal::open(disk, options, replay, hooks);
//   (*journal)->append(epoch, (*journal)->appended().next(), effects.records);
//
// Thread: as journal.hpp says; the hooks are called by the commit thread unless stated otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <tl/expected.hpp>

#include "broker/journal/batch_buffer.hpp"
#include "broker/journal/disk.hpp"
#include "broker/journal/journal.hpp"
#include "broker/journal/segment_log.hpp"
#include "broker/journal/segment_log_options.hpp"
#include "common/model/error.hpp"

namespace taskpipe::broker {

class SegmentJournal final : public Journal {
 public:
  struct Hooks {
    // `durable()` has risen to this, once per group; with Durability::none it was there already
    // when `append` returned, and nothing is told. Called again when `synced()` has followed later.
    std::function<void(Lsn)> on_durable;
    // Called once, after which nothing advances any more: a write or sync failed (commit thread),
    // or `append` met a newer epoch or an oversized record (the appending thread). The process has
    // to end. Both hooks must not call back into the journal other than `durable`.
    std::function<void(const Error&)> on_failure;
  };

  // Replays in the calling thread, then starts the commit thread. A seed of 0 in `options` is
  // replaced by a random one. `disk` must outlive the journal. Errors name the place and the
  // remedy: folder not usable, held by another broker, damaged, written by a newer version.
  // Throws std::system_error when no thread can be started.
  [[nodiscard]] static tl::expected<std::unique_ptr<SegmentJournal>, Error> open(
      Disk& disk, SegmentLogOptions options, const ReplayCallback& replay, Hooks hooks);
  // Commits what was appended, notes that all is durable, and joins the thread.
  ~SegmentJournal() override;

  void append(Epoch epoch, Lsn first_lsn, std::span<const Record> records) override;
  [[nodiscard]] Lsn appended() const override { return appended_; }
  [[nodiscard]] Lsn durable() const override {
    return Lsn(durable_.load(std::memory_order_acquire));
  }
  [[nodiscard]] Lsn synced() const override { return Lsn(synced_.load(std::memory_order_acquire)); }
  [[nodiscard]] JournalUsage usage() const override;
  void release_before(Lsn lsn) override;

  // What `open` found.
  [[nodiscard]] const RecoveryReport& recovery() const { return recovery_; }
  // Until everything asked for has been done (records durable, segments recycled and prepared) or
  // the journal has failed. False when `limit` passed before. Any thread; for tests and shutdown.
  [[nodiscard]] bool wait_until_idle(std::chrono::milliseconds limit) const;

 private:
  using Clock = std::chrono::steady_clock;

  enum class Wait : std::uint8_t { none, for_work, for_more };

  // What one round of the commit thread has to do.
  struct Round {
    bool commit = false;
    bool stop = false;
    Lsn release;
  };

  SegmentJournal(const SegmentLogOptions& options, std::unique_ptr<SegmentLog> log, Hooks hooks);
  void run();
  [[nodiscard]] Round next_round();
  [[nodiscard]] bool has_work() const;
  [[nodiscard]] bool gathers() const;  // what was appended may wait a moment for more
  [[nodiscard]] bool must_be_woken();
  [[nodiscard]] SegmentLog::Status perform(const Round& round);
  [[nodiscard]] SegmentLog::Status commit();
  // Nobody waits for what was written, but it must reach the medium in the end.
  [[nodiscard]] SegmentLog::Status sync_late();
  [[nodiscard]] SegmentLog::Status check_space();
  // When the commit thread has to look again though nobody wakes it.
  [[nodiscard]] std::optional<Clock::time_point> next_look() const;
  void advance_durable(Lsn lsn);
  void publish_usage();
  void fail(const Error& error);

  const Durability durability_;
  const std::chrono::milliseconds sync_after_;
  const std::uint64_t reserve_bytes_;
  const std::uint64_t max_backlog_bytes_;
  const Hooks hooks_;
  const RecoveryReport recovery_;

  // Loop thread.
  Epoch epoch_;
  Lsn appended_;

  std::atomic<std::uint64_t> durable_;
  std::atomic<std::uint64_t> synced_;
  std::atomic<bool> failed_{false};

  mutable std::mutex mutex_;
  std::condition_variable work_;
  mutable std::condition_variable idle_;
  // Guarded by mutex_.
  BatchBuffer front_;
  Lsn release_wanted_;
  bool stopping_ = false;
  Wait waits_ = Wait::none;          // the commit thread, and has to be woken
  bool resting_ = false;             // and has nothing left to do
  std::uint64_t writing_bytes_ = 0;  // of the group that is being committed
  std::uint64_t headroom_bytes_ = 0;
  JournalUsage usage_;

  // Commit thread, once it runs.
  std::unique_ptr<SegmentLog> log_;
  BatchBuffer back_;
  Lsn released_;
  bool maintenance_due_ = true;
  std::uint64_t committed_bytes_ = 0;  // by the current round
  Clock::time_point space_checked_at_;
  Clock::time_point sync_due_;  // of the oldest that is written and not synced

  std::thread thread_;  // last: everything else outlives it
};

}  // namespace taskpipe::broker
