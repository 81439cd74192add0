// A parallel workflow: everything at once, and what running side by side has brought.
//
//   taskpipe_pipeline_parallel [BROKER]
#include "client/examples/example_task.hpp"

int main(int argc, char** argv) try {
  taskpipe::TaskPipeline pipeline(example::options_from(argc, argv));
  const std::vector<taskpipe::PipelineTask> tasks = {example::field_problem(pipeline, 24),
                                                     example::particle_problem(pipeline, 200),
                                                     example::particle_problem(pipeline, 400)};
  const std::vector<std::string> ids = pipeline.submit_workflow(tasks, /*sequential=*/false);

  const auto status = pipeline.wait_for_workflow(
      ids, std::chrono::minutes(10), [](const taskpipe::PipelineWorkflowStatus& now) {
        std::cout << now.completed << " of " << now.total << " completed, " << now.running
                  << " running, " << now.failed << " failed" << std::endl;
      });

  const taskpipe::PipelineStats stats = pipeline.get_parallel_execution_stats(ids);
  std::cout << "computed " << stats.total_duration << " s, the longest task " << stats.max_duration
            << " s: speedup " << stats.speedup << '\n';
  return status.completed == status.total ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 2;
}
