// How fast the journal makes tasks durable, beside the disk's own limit.
//
//   journal_bench [FOLDER] [SECONDS]    FOLDER on the disk to be measured (default: .), SECONDS per
//                                       measurement (default 1); prints the medians of five
//
// "staged": a task is submitted, dispatched and finished in three groups, each awaited before the
// next is appended (the table "Store engines" of docs/decisions/0002-journal.md). "streamed": the
// groups are appended without waiting, as the broker's loop does, at most kInFlight ahead.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "broker/journal/posix_disk.hpp"
#include "broker/journal/segment_journal.hpp"

namespace taskpipe::broker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRuns = 5;
constexpr std::size_t kPayloadBytes = 100;
constexpr std::uint64_t kInFlight = 24;  // records
constexpr Epoch kEpoch{1};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "journal_bench: %s\n", why.c_str());
  std::exit(1);
}

// The three records of one group of tasks. Built once: what is measured is the journal.
std::array<std::vector<Record>, 3> stages(std::size_t tasks) {
  const TaskIdPrefix prefix{1'790'000'000'000, 0x1234567890ab};
  TaskSpec spec;
  spec.tool = "python";
  spec.script = "a.py";
  record::TasksSubmitted submitted{
      "bench", WallTime{1}, Arrival(1), {std::make_shared<const TaskSpec>(spec)}, {}};
  record::TasksDispatched dispatched{kEpoch, {Placement{PeerUuid(1, 2)}}, {}};
  record::TasksFinished finished{WallTime{2}, {}};
  for (std::uint32_t i = 0; i < tasks; ++i) {
    const TaskId id = prefix.id(i);
    submitted.items.push_back({id, 0, Payload(std::string(kPayloadBytes, 'p')), {i, i}});
    dispatched.items.push_back({id, Attempt(1)});
    Outcome outcome;
    outcome.state = TaskState::success;
    outcome.usage = Usage{1000, 900, 100, 1U << 20U};
    outcome.report = Payload(std::string(kPayloadBytes, 'r'));
    finished.items.push_back({id, Attempt(1), std::move(outcome)});
  }
  return {std::vector<Record>{submitted}, {dispatched}, {finished}};
}

class Bench {
 public:
  Bench(std::string folder, double seconds) : folder_(std::move(folder)), seconds_(seconds) {}

  // fdatasync after every 4096 bytes on space that was written before.
  double raw_syncs() {
    const auto file = disk_.open(folder_ + "/raw", OpenMode::create_new);
    if (!file) give_up(file.error().text);
    constexpr std::uint64_t kBytes = 16U << 20U;
    const std::vector<std::byte> zeros(kBytes);
    if (!(*file)->write_at(0, zeros) || !(*file)->sync_data()) give_up("cannot write");
    const auto page = std::span(zeros).first(kPageBytes);
    const auto start = Clock::now();
    std::uint64_t count = 0;
    for (; seconds_since(start) < seconds_; ++count) {
      if (!(*file)->write_at(count * kPageBytes % kBytes, page)) give_up("cannot write");
      if (!(*file)->sync_data()) give_up("cannot sync");
    }
    return static_cast<double>(count) / seconds_since(start);
  }

  // Tasks per second.
  double staged(std::size_t tasks) { return run(tasks, 1); }
  double streamed(std::size_t tasks) { return run(tasks, kInFlight); }

 private:
  double run(std::size_t tasks, std::uint64_t in_flight) {
    const std::string data = folder_ + "/data";
    std::filesystem::remove_all(data);
    SegmentLogOptions options;
    options.folder = data;
    SegmentJournal::Hooks hooks;
    hooks.on_durable = [this](Lsn lsn) {
      const std::lock_guard lock(mutex_);
      durable_ = lsn;
      changed_.notify_one();
    };
    hooks.on_failure = [](const Error& error) { give_up(error.text); };
    durable_ = Lsn();
    auto opened = SegmentJournal::open(
        disk_, options, [](Lsn, Record&&) {}, std::move(hooks));
    if (!opened) give_up(opened.error().text);
    SegmentJournal& journal = **opened;
    if (!journal.wait_until_idle(std::chrono::seconds(60))) give_up("never idle");
    const auto groups = stages(tasks);
    const auto start = Clock::now();
    std::uint64_t done = 0;
    while (seconds_since(start) < seconds_) {
      for (const auto& group : groups) {
        journal.append(kEpoch, journal.appended().next(), group);
        wait_until_within(journal.appended(), in_flight);
      }
      done += tasks;
      const JournalUsage usage = journal.usage();
      if (usage.segments > 3) journal.release_before(usage.oldest_segment_last.next());
    }
    wait_until_within(journal.appended(), 1);
    return static_cast<double>(done) / seconds_since(start);
  }

  // Until fewer than `in_flight` records are not durable.
  void wait_until_within(Lsn appended, std::uint64_t in_flight) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return durable_.value() + in_flight > appended.value(); });
  }

  PosixDisk disk_;
  std::string folder_;
  double seconds_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Lsn durable_;
};

template <class Measure>
double median_of_runs(Measure measure) {
  std::vector<double> values;
  for (std::size_t i = 0; i < kRuns; ++i) values.push_back(measure());
  return median(std::move(values));
}

// How long a start takes with a million tasks in the journal.
void report_recovery(const std::string& folder) {
  constexpr std::size_t kTasks = 1'000'000;
  constexpr std::size_t kGroup = 1000;
  PosixDisk disk;
  SegmentLogOptions options;
  options.folder = folder + "/recovery";
  {
    auto journal = SegmentJournal::open(disk, options, [](Lsn, Record&&) {}, {});
    if (!journal) give_up(journal.error().text);
    const auto groups = stages(kGroup);
    for (std::size_t i = 0; i < kTasks / kGroup; ++i) {
      (*journal)->append(kEpoch, (*journal)->appended().next(), groups[0]);
    }
  }
  std::uint64_t records = 0;
  const auto start = Clock::now();
  const auto journal = SegmentJournal::open(disk, options, [&](Lsn, Record&&) { ++records; }, {});
  if (!journal) give_up(journal.error().text);
  std::printf("replay of %zu submitted tasks: %.2f s, %.0f bytes each on disk\n", kTasks,
              seconds_since(start),
              static_cast<double>((*journal)->usage().bytes) / static_cast<double>(kTasks));
}

void report(const std::string& folder, double seconds) {
  Bench bench(folder, seconds);
  const double raw = median_of_runs([&] { return bench.raw_syncs(); });
  std::printf("fdatasync of a page: %.0f/s (%.0f us)\n", raw, 1e6 / raw);
  std::printf("%8s %18s %18s %22s\n", "tasks", "staged tasks/s", "streamed tasks/s",
              "staged groups/fdatasync");
  for (const std::size_t tasks : {1U, 16U, 256U, 1024U}) {
    const double staged = median_of_runs([&] { return bench.staged(tasks); });
    const double streamed = median_of_runs([&] { return bench.streamed(tasks); });
    std::printf("%8zu %18.0f %18.0f %22.2f\n", tasks, staged, streamed,
                3 * staged / static_cast<double>(tasks) / raw);
  }
  report_recovery(folder);
}

}  // namespace
}  // namespace taskpipe::broker

int main(int argc, char** argv) {
  const std::filesystem::path base = argc > 1 ? argv[1] : ".";
  const double seconds = argc > 2 ? std::atof(argv[2]) : 1.0;
  const auto folder = base / ("journal_bench." + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  taskpipe::broker::report(folder.string(), seconds);
  std::filesystem::remove_all(folder);
  return 0;
}
