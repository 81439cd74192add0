// A program outside of the project: it knows the installed headers and library alone.
#include <taskpipe/task_pipeline.hpp>

#include <iostream>

int main() try {
  taskpipe::TaskPipeline pipeline;
  const auto id = pipeline.submit_task("shell", "hello.sh", {{"steps", 1}, {"pause", 0}});
  const auto result = pipeline.wait_for_task(id, std::chrono::minutes(1));
  std::cout << result.status() << '\n' << result.stdout_tail;
  return result.returncode.value_or(1);
} catch (const taskpipe::ConnectionError& error) {
  std::cout << "unreachable: " << error.what() << '\n';
  return 4;
} catch (const std::exception& error) {
  std::cout << "error: " << error.what() << '\n';
  return 5;
}
