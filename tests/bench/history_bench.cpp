// How fast the history takes rows and gives them back, on this machine's disk.
//
//   history_bench [ROWS] [FOLDER]       1,000,000 rows in the present folder unless told otherwise
//
// A row is a finished task with 100 bytes of params and 120 of report, one of two tools, four
// owners, its specification shared with the tasks of its batch.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "broker/history/sqlite_history.hpp"

namespace taskpipe::broker {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Processor time of this process: what remains comparable on a machine that others use as well.
double cpu_seconds() {
  return static_cast<double>(std::clock()) / static_cast<double>(CLOCKS_PER_SEC);
}

TaskIdPrefix prefix_of_batch(std::uint64_t batch) {
  // Clients draw random bits for each batch; a multiply scatters them just as well.
  return TaskIdPrefix{1'769'860'800'000 + batch, batch * 0x9e3779b97f4aULL};
}

std::vector<FinishedTask> make_batch(std::uint64_t batch, std::uint32_t rows) {
  TaskSpec spec;
  spec.tool = batch % 2 == 0 ? "lammps" : "openfoam";
  spec.script = "melt/in.lj";
  spec.resources.cpus = 1;
  const auto shared_spec = std::make_shared<const TaskSpec>(spec);
  const Payload params(std::string(100, 'p'));
  const Payload report(std::string(120, 'r'));
  std::vector<FinishedTask> tasks(rows);
  for (std::uint32_t i = 0; i < rows; ++i) {
    FinishedTask& task = tasks[i];
    const std::uint64_t number = batch * rows + i;
    task.id = prefix_of_batch(batch).id(i);
    task.owner = "owner" + std::to_string(batch % 4);
    task.spec = shared_spec;
    task.params = params;
    task.params_hash = {number, ~number};
    task.arrival = Arrival(number + 1);
    task.epoch = Epoch(1);
    task.attempt = Attempt(1);
    task.placements = {{PeerUuid(1, number % 100)}};
    task.worker = "worker" + std::to_string(number % 100);
    task.outcome.state = number % 20 == 0 ? TaskState::failure : TaskState::success;
    task.outcome.usage = {1'000'000, 900'000, 50'000, 30'000'000};
    task.outcome.report = report;
    task.submitted = task.started = task.finished =
        WallTime{1'769'860'800'000 + static_cast<std::int64_t>(number)};
    task.terminal_lsn = Lsn(number + 1);
  }
  return tasks;
}

void store_all(SqliteHistory& history, std::uint64_t rows, std::uint32_t per_transaction) {
  const std::uint64_t batches = rows / per_transaction;
  double seconds = 0;
  double cpu = 0;
  for (std::uint64_t batch = 0; batch < batches; ++batch) {
    const auto tasks = make_batch(batch, per_transaction);
    const auto start = Clock::now();
    const double cpu_start = cpu_seconds();
    history.store(tasks, {}, Lsn((batch + 1) * per_transaction));
    seconds += seconds_since(start);
    cpu += cpu_seconds() - cpu_start;
  }
  const auto stored = static_cast<double>(batches * per_transaction);
  std::printf("store, %5u per transaction: %8.0f rows/s, %.2f us of CPU per row\n", per_transaction,
              stored / seconds, 1e6 * cpu / stored);
}

void find_some(SqliteHistory& history, std::uint32_t per_transaction, std::uint64_t rows) {
  constexpr std::uint64_t kLookups = 100'000;
  const std::uint64_t batches = rows / per_transaction;
  std::uint64_t found = 0;
  const auto start = Clock::now();
  for (std::uint64_t n = 0; n < kLookups; ++n) {
    const std::uint64_t place = (n * 2'654'435'761U) % (batches * per_transaction);
    const TaskId id = prefix_of_batch(place / per_transaction)
                          .id(static_cast<std::uint32_t>(place % per_transaction));
    found += history.find_tasks(std::vector{id}).size();
  }
  std::printf("find by id, all over:       %8.0f rows/s%s\n",
              static_cast<double>(kLookups) / seconds_since(start),
              found == kLookups ? "" : " (some are missing!)");
}

void list_some(SqliteHistory& history, const char* what, const QueryFilter& filter) {
  std::uint64_t rows = 0;
  std::string cursor;
  const auto start = Clock::now();
  do {
    const HistoryPage page = history.list("owner1", filter, cursor, 1000);
    rows += page.tasks.size();
    cursor = page.next;
  } while (!cursor.empty() && rows < 100'000);
  std::printf("list %-22s %8.0f rows/s (%llu rows)\n", what,
              static_cast<double>(rows) / seconds_since(start),
              static_cast<unsigned long long>(rows));
}

void run(std::uint64_t rows, const std::filesystem::path& folder) {
  for (const std::uint32_t per_transaction : {1024U, 4096U}) {
    const auto path = folder / ("history_bench." + std::to_string(::rand()) + ".db");
    {
      SqliteHistory history(path);
      store_all(history, rows, per_transaction);
      find_some(history, per_transaction, rows);
      list_some(history, "of an owner:", {});
      list_some(history, "of an owner's failures:", {{}, {}, TaskState::failure, ""});
      list_some(history, "of an owner's tool:", {{}, {}, {}, "openfoam"});
    }
    std::printf("bytes per row:              %8.0f\n",
                static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(rows));
    std::filesystem::remove(path);
    std::filesystem::remove(path.string() + ".lock");
  }
}

}  // namespace
}  // namespace taskpipe::broker

int main(int argc, char** argv) {
  try {
    const std::uint64_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    taskpipe::broker::run(rows < 4096 ? 4096 : rows, argc > 2 ? argv[2] : ".");
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "history_bench: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
