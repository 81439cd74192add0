// Cancellation: a running task ends with every process that it started.
//
//   taskpipe_pipeline_cancel [BROKER]
#include "client/examples/example_task.hpp"

int main(int argc, char** argv) try {
  taskpipe::TaskPipeline pipeline(example::options_from(argc, argv));
  // An hour of greetings, if nobody stops it.
  const std::string id = pipeline.submit_task("shell", "hello.sh", {{"steps", 36'000}});

  // Callbacks may call the pipeline.
  bool had_not_ended = false;
  const auto last = pipeline.monitor_task(id, [&](const taskpipe::PipelineStatus& status) {
    example::print(status);
    if (status.state == taskpipe::TaskState::running && !had_not_ended) {
      had_not_ended = pipeline.cancel_task(id);
      std::cout << "cancelled\n";
    }
  });

  try {
    (void)pipeline.wait_for_task(id);
  } catch (const taskpipe::TaskCancelledError& error) {
    std::cout << error.what() << '\n';
  }
  return had_not_ended && name_of(last.state) == taskpipe::TaskStatus::CANCELLED ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 2;
}
