// Drives a running cluster through the public client, as an application would.
//
//   task_bench throughput BROKER TASKS [--payload BYTES] [--clients N] [--batch N] [--tool NAME]
//       → {"tasks_per_s": …}; from the first submit until the last result
//   task_bench submits BROKER TASKS
//       → {"submits_per_s": …}; from the first submit until the last acknowledgement
//   task_bench roundtrip BROKER TASKS
//       → {"p50_us": …, "p90_us": …, …, "max_us": …}; one task at a time
//   task_bench paced BROKER RATE SECONDS
//       → the same, and {"tasks_per_s": …}; RATE tasks a second, whatever the cluster makes of
//       them: each millisecond's tasks are one batch, timed from when it was due until its last
//       result
//   task_bench sustained BROKER SECONDS
//       → {"tasks_per_s": …, "at_s": […], "finished": […]}; as fast as results come back
//
// Tasks are `noop` with 100 bytes of params unless told otherwise; --tool NAME: of that tool,
// without.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "measure.hpp"
#include "taskpipe/client.hpp"

namespace {

using taskpipe::Client;
using taskpipe::TaskId;
using taskpipe::TaskRequest;
using taskpipe::bench::Clock;
using taskpipe::bench::seconds_since;

constexpr std::size_t kChunkTasks =
    20'000;  // waited for at a time, so that results overlap submits
constexpr std::size_t kChunkBytes = 64U << 20U;  // of their payloads
constexpr std::size_t kWarmUpTasks = 2'000;      // a quarter of what is measured at most
constexpr std::size_t kWarmUpRoundTrips = 100;
constexpr std::size_t kPacedThreads = 32;  // batches on their way at a time
constexpr std::size_t kChunksOnTheirWay = 3;
constexpr double kPacedWarmUpShare = 0.2;      // of the batches, which are not counted
constexpr std::chrono::milliseconds kTick{1};  // between two paced batches
constexpr std::chrono::seconds kSample{1};     // between two points of the sustained curve

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "task_bench: %s\n", why.c_str());
  std::exit(1);
}

struct Options {
  std::string kind;
  taskpipe::ClientOptions client;
  std::vector<double> numbers;
  std::string tool = "noop";
  std::size_t payload_bytes = 100;
  std::size_t clients = 1;
  std::size_t batch = kChunkTasks;

  [[nodiscard]] std::size_t chunk_tasks() const {
    return std::clamp<std::size_t>(kChunkBytes / payload_bytes, 1, kChunkTasks);
  }
};

TaskRequest task_of(const Options& options) {
  TaskRequest task;
  task.tool = options.tool;
  if (options.tool == "noop")
    task.params["data"] = taskpipe::Value(std::string(options.payload_bytes, 'x'));
  return task;
}

void submit(Client& client, std::span<const TaskRequest> tasks, std::vector<TaskId>& ids) {
  auto more = client.submit_batch(tasks);
  if (!more) fail(more.error().first().text());
  ids.insert(ids.end(), more->begin(), more->end());
}

void await(Client& client, const std::vector<TaskId>& ids) {
  const auto results = client.wait_all(ids);
  if (!results) fail(results.error().text());
  for (const auto& result : *results) {
    if (!result.succeeded()) fail("a task did not succeed: " + result.outcome.reason);
  }
}

void run_chunk(Client& client, std::span<const TaskRequest> tasks) {
  for (const auto& result : client.run_batch(tasks)) {
    if (!result) fail(result.error().text());
    if (!result->succeeded()) fail("a task did not succeed: " + result->outcome.reason);
  }
}

// Batches one after the other, each acknowledged before the next; results are awaited beside. The
// seconds that the submits took; all results are there when it returns.
double submit_and_await(Client& client, std::size_t tasks, const Options& options) {
  const std::vector<TaskRequest> batch(std::min({tasks, options.batch, options.chunk_tasks()}),
                                       task_of(options));
  std::vector<std::thread> waiters;
  std::vector<TaskId> ids;
  const auto start = Clock::now();
  for (std::size_t sent = 0; sent < tasks;) {
    const std::size_t count = std::min(batch.size(), tasks - sent);
    submit(client, std::span(batch).first(count), ids);
    sent += count;
    if (ids.size() < options.chunk_tasks() && sent < tasks) continue;
    waiters.emplace_back([&client, own = std::exchange(ids, {})] { await(client, own); });
  }
  const double submitted_s = seconds_since(start);
  for (auto& waiter : waiters) waiter.join();
  return submitted_s;
}

void run_chunks(Client& client, std::size_t tasks, const Options& options) {
  const std::vector<TaskRequest> chunk(std::min(tasks, options.chunk_tasks()), task_of(options));
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kChunksOnTheirWay; ++i) {
    threads.emplace_back([&] {
      for (std::size_t at = next.fetch_add(chunk.size()); at < tasks;
           at = next.fetch_add(chunk.size())) {
        run_chunk(client, std::span(chunk).first(std::min(chunk.size(), tasks - at)));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

void run_tasks(Client& client, std::size_t tasks, const Options& options) {
  if (options.batch < options.chunk_tasks()) {
    submit_and_await(client, tasks, options);
  } else {
    run_chunks(client, tasks, options);
  }
}

void measure_throughput(const Options& options) {
  const auto tasks = static_cast<std::size_t>(options.numbers.at(0)) / options.clients;
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t i = 0; i < options.clients; ++i) {
    clients.push_back(std::make_unique<Client>(options.client));
    run_tasks(*clients.back(), std::min(kWarmUpTasks / options.clients, tasks / 4 + 1), options);
  }
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (const auto& client : clients) {
    threads.emplace_back([&] { run_tasks(*client, tasks, options); });
  }
  for (auto& thread : threads) thread.join();
  const auto count = static_cast<double>(tasks * options.clients);
  std::printf("{\"tasks_per_s\": %.0f}\n", count / seconds_since(start));
}

void measure_submits(const Options& options) {
  Client client(options.client);
  const auto tasks = static_cast<std::size_t>(options.numbers.at(0));
  run_tasks(client, std::min(kWarmUpTasks, tasks / 4 + 1), options);
  const double elapsed_s = submit_and_await(client, tasks, options);
  std::printf("{\"submits_per_s\": %.0f}\n", static_cast<double>(tasks) / elapsed_s);
}

void measure_round_trip(const Options& options) {
  Client client(options.client);
  const auto trips = static_cast<std::size_t>(options.numbers.at(0));
  taskpipe::bench::print_round_trips(trips, kWarmUpRoundTrips, [&] {
    const auto result = client.run(task_of(options));
    if (!result) fail(result.error().text());
  });
}

// An open loop: a batch that is late does not delay the next one, and its lateness counts.
void measure_paced(const Options& options) {
  Client client(options.client);
  const double rate = options.numbers.at(0);
  const auto ticks = static_cast<std::size_t>(1000 * options.numbers.at(1));
  const auto skipped = static_cast<std::size_t>(kPacedWarmUpShare * static_cast<double>(ticks));
  const auto due_tasks = [&](std::size_t tick) {
    return static_cast<std::size_t>(rate * static_cast<double>(tick) / 1000);
  };
  const std::vector<TaskRequest> most(static_cast<std::size_t>(rate / 1000) + 1, task_of(options));
  run_tasks(client, kWarmUpTasks, options);
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::vector<double> microseconds;
  const auto start = Clock::now() + std::chrono::milliseconds(50);
  const auto send_when_due = [&] {
    for (std::size_t tick = next++; tick < ticks; tick = next++) {
      const std::size_t count = due_tasks(tick + 1) - due_tasks(tick);
      const auto due = start + kTick * static_cast<std::int64_t>(tick);
      std::this_thread::sleep_until(due);
      if (count == 0) continue;
      run_chunk(client, std::span(most).first(count));
      const double took_us = 1e6 * seconds_since(due);
      const std::lock_guard lock(mutex);
      if (tick >= skipped) microseconds.push_back(took_us);
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kPacedThreads; ++i) threads.emplace_back(send_when_due);
  for (auto& thread : threads) thread.join();
  std::printf("{\"tasks_per_s\": %.0f, ",
              static_cast<double>(due_tasks(ticks)) / seconds_since(start));
  taskpipe::bench::print_quantiles(std::move(microseconds));
  std::printf("}\n");
}

void measure_sustained(const Options& options) {
  Client client(options.client);
  const std::vector<TaskRequest> chunk(options.chunk_tasks(), task_of(options));
  run_chunk(client, chunk);
  std::atomic<std::size_t> finished{0};
  std::vector<std::pair<double, std::size_t>> curve;
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::milliseconds(static_cast<std::int64_t>(1000 * options.numbers.at(0)));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kChunksOnTheirWay; ++i) {
    threads.emplace_back([&] {
      while (Clock::now() < end) {
        run_chunk(client, chunk);
        finished += chunk.size();
      }
    });
  }
  for (auto at = start + kSample; at < end; at += kSample) {
    std::this_thread::sleep_until(at);
    curve.emplace_back(seconds_since(start), finished.load());
  }
  for (auto& thread : threads) thread.join();
  taskpipe::bench::print_curve(static_cast<double>(finished) / seconds_since(start), curve);
}

// Nothing when the command line is not understood.
bool read_options(int argc, char** argv, Options& options) {
  if (argc < 4) return false;
  options.kind = argv[1];
  options.client.broker = argv[2];
  options.client.request_timeout = taskpipe::Millis(600'000);
  for (int i = 3; i < argc; ++i) {
    const bool last = i + 1 == argc;
    const auto value = [&] { return std::strtoull(argv[++i], nullptr, 10); };
    if (std::strncmp(argv[i], "--", 2) != 0) {
      options.numbers.push_back(std::strtod(argv[i], nullptr));
    } else if (last) {
      return false;
    } else if (std::strcmp(argv[i], "--payload") == 0) {
      options.payload_bytes = std::max<std::size_t>(1, value());
    } else if (std::strcmp(argv[i], "--tool") == 0) {
      options.tool = argv[++i];
    } else if (std::strcmp(argv[i], "--clients") == 0) {
      options.clients = std::max<std::size_t>(1, value());
    } else if (std::strcmp(argv[i], "--batch") == 0) {
      options.batch = std::max<std::size_t>(1, value());
    } else {
      return false;
    }
  }
  return options.numbers.size() == (options.kind == "paced" ? 2 : 1);
}

}  // namespace

int main(int argc, char** argv) {
  static constexpr std::array<std::pair<const char*, void (*)(const Options&)>, 5> kKinds = {
      {{"throughput", measure_throughput},
       {"submits", measure_submits},
       {"roundtrip", measure_round_trip},
       {"paced", measure_paced},
       {"sustained", measure_sustained}}};
  Options options;
  if (read_options(argc, argv, options)) {
    for (const auto& [kind, measure] : kKinds) {
      if (options.kind != kind) continue;
      measure(options);
      return 0;
    }
  }
  std::fprintf(
      stderr,
      "usage: task_bench throughput|submits|roundtrip BROKER TASKS, paced BROKER RATE SECONDS, "
      "sustained BROKER SECONDS; --payload BYTES, --clients N, --batch N, --tool NAME\n");
  return 2;
}
