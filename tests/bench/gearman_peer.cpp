// gearmand with libgearman at both ends: foreground jobs, so that results come back.
//
//   gearman_peer worker PORT              → a worker, until a signal
//   gearman_peer throughput PORT TASKS    → {"tasks_per_s": …}
//   gearman_peer roundtrip PORT TASKS     → {"p50_us": …, …}
#include <libgearman/gearman.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "measure.hpp"

namespace {

using taskpipe::bench::Clock;
using taskpipe::bench::seconds_since;

constexpr std::size_t kPayloadBytes = 100;
constexpr std::size_t kWindow = 1'000;  // jobs on their way at a time; more makes libgearman slower
constexpr std::size_t kWarmUpTasks = 2'000;
constexpr std::size_t kWarmUpRoundTrips = 100;
constexpr const char* kFunction = "noop";

void check(gearman_return_t status, const char* what) {
  if (status == GEARMAN_SUCCESS) return;
  std::fprintf(stderr, "gearman_peer: %s: %s\n", what, gearman_strerror(status));
  std::exit(1);
}

void* noop(gearman_job_st*, void*, std::size_t* result_bytes, gearman_return_t* status) {
  *result_bytes = 0;
  *status = GEARMAN_SUCCESS;
  return nullptr;
}

[[noreturn]] void work(in_port_t port) {
  gearman_worker_st* worker = gearman_worker_create(nullptr);
  check(gearman_worker_add_server(worker, "127.0.0.1", port), "server");
  check(gearman_worker_add_function(worker, kFunction, 0, noop, nullptr), "function");
  std::printf("ready\n");
  std::fflush(stdout);
  while (true) check(gearman_worker_work(worker), "work");
}

class Jobs {
 public:
  explicit Jobs(in_port_t port) : client_(gearman_client_create(nullptr)) {
    check(gearman_client_add_server(client_, "127.0.0.1", port), "server");
    gearman_client_add_options(client_, GEARMAN_CLIENT_FREE_TASKS);
    gearman_client_set_complete_fn(client_, [](gearman_task_st* task) {
      ++*static_cast<std::size_t*>(gearman_task_context(task));
      return GEARMAN_SUCCESS;
    });
  }

  // Seconds.
  double run(std::size_t count) {
    std::size_t done = 0;
    const auto start = Clock::now();
    for (std::size_t sent = 0; sent < count;) {
      const std::size_t batch = std::min(kWindow, count - sent);
      for (std::size_t i = 0; i < batch; ++i) {
        gearman_return_t status = GEARMAN_SUCCESS;
        gearman_client_add_task(client_, nullptr, &done, kFunction, nullptr, payload_.data(),
                                kPayloadBytes, &status);
        check(status, "add a job");
      }
      check(gearman_client_run_tasks(client_), "run jobs");
      sent += batch;
    }
    if (done != count) check(GEARMAN_UNEXPECTED_PACKET, "a result is missing");
    return seconds_since(start);
  }

  void one() {
    std::size_t bytes = 0;
    gearman_return_t status = GEARMAN_SUCCESS;
    std::free(gearman_client_do(client_, kFunction, nullptr, payload_.data(), kPayloadBytes, &bytes,
                                &status));
    check(status, "a job");
  }

 private:
  gearman_client_st* client_;
  std::string payload_ = std::string(kPayloadBytes, 'x');
};

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int i) { return std::strtoull(argv[i], nullptr, 10); };
  if (argc == 3 && std::strcmp(argv[1], "worker") == 0) work(static_cast<in_port_t>(number(2)));
  if (argc != 4) {
    std::fprintf(stderr, "usage: gearman_peer worker PORT, throughput|roundtrip PORT TASKS\n");
    return 2;
  }
  Jobs jobs(static_cast<in_port_t>(number(2)));
  const auto count = static_cast<std::size_t>(number(3));
  if (std::strcmp(argv[1], "throughput") == 0) {
    jobs.run(kWarmUpTasks);
    std::printf("{\"tasks_per_s\": %.0f}\n", static_cast<double>(count) / jobs.run(count));
  } else {
    taskpipe::bench::print_round_trips(count, kWarmUpRoundTrips, [&] { jobs.one(); });
  }
  return 0;
}
