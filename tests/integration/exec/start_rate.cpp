// How many /bin/true per second: `exec_start_rate SPAWNER [COUNT [PARALLEL [MEMORY_MIB]]]`. To be
// compared with `seq COUNT | xargs -P PARALLEL -n 1 /bin/true`.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <mutex>
#include <string>
#include <utility>

#include "worker/exec/process_executor.hpp"

namespace {

using namespace taskpipe;
using namespace taskpipe::worker;

class Counter {
 public:
  void see(const ExecEvent& event) {
    if (!std::holds_alternative<exec_event::Ended>(event)) return;
    {
      const std::lock_guard lock(mutex_);
      ++ended_;
    }
    changed_.notify_one();
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int ended_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  try {
    const int count = argc > 2 ? std::atoi(argv[2]) : 2000;
    const int parallel = argc > 3 ? std::atoi(argv[3]) : 2;
    const auto memory = static_cast<std::uint64_t>(argc > 4 ? std::atoi(argv[4]) : 0) << 20U;
    const auto root = std::filesystem::temp_directory_path() / "taskpipe-start-rate";
    Counter counter;
    ProcessExecutorOptions options;
    options.attempts_root = root.string();
    options.spawner.program = argv[1];
    ProcessExecutor executor(options, [&](const ExecEvent& event) { counter.see(event); });
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) {
      if (i >= parallel) counter.wait_for(i - parallel + 1);
      RunPlan plan;
      plan.argv = {"/bin/true"};
      plan.memory_limit_bytes = memory;
      executor.start({TaskId(1, static_cast<std::uint64_t>(i)), Epoch(1), Attempt(1)},
                     std::move(plan));
    }
    counter.wait_for(count);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%d starts, %d at a time, %s: %.0f/s\n", count, parallel,
                memory > 0 ? executor.memory_control().c_str() : "no memory limit",
                count / took.count());
    std::filesystem::remove_all(root);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "exec_start_rate: %s\n", error.what());
    return 2;
  }
}
