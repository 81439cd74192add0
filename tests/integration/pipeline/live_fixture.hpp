// What the live tests share: a pipeline to the broker that pipeline_test.py has started, and tasks
// that run until they are told.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "taskpipe/task_pipeline.hpp"

namespace taskpipe::testing {

using namespace std::chrono_literals;
inline constexpr Millis kPatience = 60s;

class Live : public ::testing::Test {
 protected:
  static std::filesystem::path folder() { return std::getenv("TASKPIPE_TEST_FOLDER"); }

  // A shell task by its text: through the client, since scripts that travel are none of
  // TaskPipeline's business.
  std::string shell(const std::string& text, Millis run_time = 0ms) {
    TaskRequest request;
    request.tool = "shell";
    request.script = "inline.sh";
    request.inline_script = text;
    request.limits.run_time_ms = static_cast<std::uint64_t>(run_time.count());
    request.limits.grace_ms = 200;
    const auto id = pipeline_.client().submit(request);
    EXPECT_TRUE(id) << id.error().text();
    return id.value_or(TaskId{}).to_string();
  }
  // Runs until `gate` exists.
  static std::string gated(const std::filesystem::path& gate) {
    return "echo $$ > " + gate.string() + ".pid; while [ ! -e " + gate.string() +
           " ]; do sleep 0.05; done; echo through";
  }
  static void open(const std::filesystem::path& gate) { std::ofstream{gate} << "open"; }
  // Returns once it runs.
  PipelineStatus await_running(const std::string& id) {
    PipelineStatus running;
    struct Enough {};
    try {
      pipeline_.monitor_task(id, [&](const PipelineStatus& now) {
        running = now;
        if (now.state == TaskState::running) throw Enough{};
      });
    } catch (const Enough&) {
    }
    return running;
  }
  static void ask(const char* what) {
    std::cout << what << std::endl;
    std::string answer;
    std::getline(std::cin, answer);
    ASSERT_EQ(answer, "done");
  }

  TaskPipeline pipeline_;
};

}  // namespace taskpipe::testing
