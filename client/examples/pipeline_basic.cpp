// Basic use: submit a task, follow its progress, read its result.
//
//   taskpipe_pipeline_basic [BROKER]
#include "client/examples/example_task.hpp"

int main(int argc, char** argv) try {
  taskpipe::TaskPipeline pipeline(example::options_from(argc, argv));
  std::cout << pipeline.health_check().message << '\n';

  const taskpipe::PipelineTask task = example::field_problem(pipeline, 32);
  const std::string id = pipeline.submit_task(task.tool, task.script, task.params);
  std::cout << "submitted " << task.tool << ' ' << task.script << '\n';

  const auto last = pipeline.monitor_task(id, example::print);

  const taskpipe::PipelineResult result = pipeline.wait_for_task(id);  // has ended: at once
  std::cout << result.status() << " after " << result.duration_seconds << " s\n"
            << result.stdout_tail;
  for (const auto& artifact : result.artifacts) {
    std::cout << "artifact " << artifact.path << ", " << artifact.size_bytes << " bytes\n";
  }
  return last.successful() == true ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 2;
}
