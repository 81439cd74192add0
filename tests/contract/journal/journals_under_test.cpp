#include "tests/contract/journal/journals_under_test.hpp"

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "broker/journal/posix_disk.hpp"
#include "broker/journal/segment_journal.hpp"
#include "tests/support/fake_disk.hpp"
#include "tests/support/stepped_journal.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::testing {
namespace {

constexpr std::chrono::seconds kPatience{30};

broker::ReplayCallback collect(std::vector<JournalUnderTest::Replayed>& into) {
  into.clear();
  return [&into](Lsn lsn, broker::Record&& record) { into.push_back({lsn, std::move(record)}); };
}

class ThreadedJournal : public JournalUnderTest {
 public:
  explicit ThreadedJournal(std::unique_ptr<broker::Disk> disk) : disk_(std::move(disk)) {}

  tl::expected<void, Error> open() override {
    failure_.reset();
    auto opened = open_with(collect(replayed));
    if (!opened) return tl::unexpected(opened.error());
    journal_ = std::move(*opened);
    return {};
  }
  void close() override { journal_.reset(); }
  broker::Journal& journal() override { return *journal_; }
  void settle() override {
    if (!journal_->wait_until_idle(kPatience)) throw std::runtime_error("the journal never rests");
  }
  std::optional<Error> failure() override {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  tl::expected<void, Error> open_second() override {
    auto opened = open_with([](Lsn, broker::Record&&) {});
    if (!opened) return tl::unexpected(opened.error());
    return {};
  }

 private:
  tl::expected<std::unique_ptr<broker::SegmentJournal>, Error> open_with(
      const broker::ReplayCallback& replay) {
    broker::SegmentJournal::Hooks hooks;
    hooks.on_failure = [this](const Error& error) {
      const std::lock_guard lock(mutex_);
      if (failure_) throw std::logic_error("a failure was reported twice");
      failure_ = error;
    };
    return broker::SegmentJournal::open(*disk_, options, replay, std::move(hooks));
  }

  std::unique_ptr<broker::Disk> disk_;
  std::mutex mutex_;
  std::optional<Error> failure_;
  std::unique_ptr<broker::SegmentJournal> journal_;
};

class JournalOnFiles final : public ThreadedJournal {
 public:
  JournalOnFiles() : ThreadedJournal(std::make_unique<broker::PosixDisk>()) {
    options.folder = folder_.path().string();
    options.segment_bytes = limits::kMinSegmentBytes;
  }
  ~JournalOnFiles() override { close(); }

 private:
  TemporaryFolder folder_;
};

class JournalOnFakeDisk final : public ThreadedJournal {
 public:
  JournalOnFakeDisk() : ThreadedJournal(std::make_unique<FakeDisk>()) {
    options.folder = "/data";
    options.segment_bytes = limits::kMinSegmentBytes;
  }
};

class Stepped final : public JournalUnderTest {
 public:
  Stepped() {
    options.folder = "/data";
    options.segment_bytes = limits::kMinSegmentBytes;
  }
  tl::expected<void, Error> open() override {
    ++options.seed;
    auto opened = SteppedJournal::open(disk_, options, collect(replayed));
    if (!opened) return tl::unexpected(opened.error());
    journal_ = std::move(*opened);
    return {};
  }
  void close() override {
    journal_->close();
    journal_.reset();
  }
  broker::Journal& journal() override { return *journal_; }
  void settle() override { journal_->step(); }
  std::optional<Error> failure() override { return journal_->failure(); }
  tl::expected<void, Error> open_second() override {
    auto opened = SteppedJournal::open(disk_, options, [](Lsn, broker::Record&&) {});
    if (!opened) return tl::unexpected(opened.error());
    return {};
  }

 private:
  FakeDisk disk_;
  std::unique_ptr<SteppedJournal> journal_;
};

}  // namespace

std::vector<JournalKind> journal_kinds() {
  return {{"SegmentJournalOnFiles", [] { return std::make_unique<JournalOnFiles>(); }},
          {"SegmentJournalOnFakeDisk", [] { return std::make_unique<JournalOnFakeDisk>(); }},
          {"SteppedJournal", [] { return std::make_unique<Stepped>(); }}};
}

}  // namespace taskpipe::testing
