// Runs an executor until it is killed: `exec_agent ROOT SPAWNER PROBE MARKER`. Says "ready" once
// every attempt has started what it is there to start.
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "worker/exec/process_executor.hpp"

namespace {

using namespace taskpipe;
using namespace taskpipe::worker;

// Counts the attempts that have printed something.
class ReadyCount {
 public:
  void see(const ExecEvent& event) {
    if (!std::holds_alternative<exec_event::Output>(event)) return;
    {
      const std::lock_guard lock(mutex_);
      ++count_;
    }
    changed_.notify_one();
  }
  bool wait_for(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  try {
    const std::string probe = argv[3];
    const std::string marker = argv[4];
    const std::vector<std::vector<std::string>> commands = {
        {probe, "stubborn", marker},
        {probe, "daemonize-stay", marker},
        {"/bin/sh", "-c",
         "trap '' TERM HUP; env -i setsid nohup " + probe + " stubborn " + marker + " & wait"},
        {probe, "tree", "6", marker},
    };
    ReadyCount ready;
    ProcessExecutorOptions options;
    options.attempts_root = argv[1];
    options.spawner.program = argv[2];
    options.node = "agent";
    ProcessExecutor executor(options, [&](const ExecEvent& event) { ready.see(event); });
    std::uint64_t task = 0;
    for (const auto& command : commands) {
      RunPlan plan;
      plan.argv = command;
      plan.environment = {{"PATH", "/usr/bin:/bin"}};
      executor.start({TaskId(1, ++task), Epoch(1), Attempt(1)}, std::move(plan));
    }
    if (!ready.wait_for(static_cast<int>(commands.size()))) return 1;
    std::puts("ready");
    std::fflush(stdout);
    while (true) ::pause();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "exec_agent: %s\n", error.what());
    return 2;
  }
}
