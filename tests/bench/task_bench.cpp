// Drives a running cluster through the public client, as an application would.
//
//   task_bench throughput TASKS BROKER   → {"tasks_per_s": …, "submits_per_s": …}
//   task_bench roundtrip TASKS BROKER    → {"p50_us": …, "p99_us": …}
//
// Tasks are `noop` with 100 bytes of params; a throughput counts from the first submit until the
// last result is back.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "taskpipe/client.hpp"

namespace {

using taskpipe::Client;
using taskpipe::TaskId;
using taskpipe::TaskRequest;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPayloadBytes = 100;
constexpr std::size_t kChunkTasks = 20'000;  // submitted at a time, so that results overlap submits
constexpr std::size_t kWarmUpTasks = 2'000;
constexpr std::size_t kWarmUpRoundTrips = 100;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "task_bench: %s\n", why.c_str());
  std::exit(1);
}

TaskRequest noop() {
  TaskRequest task;
  task.tool = "noop";
  task.params["data"] = taskpipe::Value(std::string(kPayloadBytes, 'x'));
  return task;
}

struct Rates {
  double tasks_per_s = 0;
  double submits_per_s = 0;
};

Rates run_tasks(Client& client, std::size_t tasks) {
  const std::vector<TaskRequest> chunk(std::min(tasks, kChunkTasks), noop());
  std::vector<std::thread> waiters;
  const auto start = Clock::now();
  for (std::size_t sent = 0; sent < tasks; sent += chunk.size()) {
    const std::size_t count = std::min(chunk.size(), tasks - sent);
    auto ids = client.submit_batch(std::span(chunk).first(count));
    if (!ids) fail(ids.error().first().text());
    waiters.emplace_back([&client, own = std::move(*ids)] {
      const auto results = client.wait_all(own);
      if (!results) fail(results.error().text());
      for (const auto& result : *results) {
        if (!result.succeeded()) fail("a task did not succeed: " + result.outcome.reason);
      }
    });
  }
  const std::chrono::duration<double> submitted = Clock::now() - start;
  for (auto& waiter : waiters) waiter.join();
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  const auto count = static_cast<double>(tasks);
  return {count / elapsed.count(), count / submitted.count()};
}

void measure_round_trip(Client& client, std::size_t tasks) {
  std::vector<double> microseconds;
  for (std::size_t i = 0; i < tasks + kWarmUpRoundTrips; ++i) {
    const auto start = Clock::now();
    const auto id = client.submit(noop());
    if (!id) fail(id.error().text());
    const auto result = client.wait(*id);
    if (!result) fail(result.error().text());
    const std::chrono::duration<double, std::micro> elapsed = Clock::now() - start;
    if (i >= kWarmUpRoundTrips) microseconds.push_back(elapsed.count());
  }
  std::sort(microseconds.begin(), microseconds.end());
  std::printf("{\"p50_us\": %.1f, \"p99_us\": %.1f}\n", microseconds[microseconds.size() / 2],
              microseconds[microseconds.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: task_bench throughput|roundtrip TASKS BROKER\n");
    return 2;
  }
  const auto tasks = static_cast<std::size_t>(std::strtoull(argv[2], nullptr, 10));
  taskpipe::ClientOptions options;
  options.broker = argv[3];
  options.request_timeout = taskpipe::Millis(600'000);
  Client client(options);
  if (std::strcmp(argv[1], "throughput") == 0) {
    run_tasks(client, kWarmUpTasks);
    const Rates rates = run_tasks(client, tasks);
    std::printf("{\"tasks_per_s\": %.0f, \"submits_per_s\": %.0f}\n", rates.tasks_per_s,
                rates.submits_per_s);
  } else {
    measure_round_trip(client, tasks);
  }
  return 0;
}
