// A sequential workflow: each task starts once the one before it has ended, also if that failed.
//
//   taskpipe_pipeline_sequential [BROKER]
#include "client/examples/example_task.hpp"

int main(int argc, char** argv) try {
  taskpipe::TaskPipeline pipeline(example::options_from(argc, argv));
  const std::vector<taskpipe::PipelineTask> tasks = {example::field_problem(pipeline, 16),
                                                     example::particle_problem(pipeline, 200),
                                                     example::field_problem(pipeline, 32)};
  // The broker keeps the order: the chain goes on even when this program ends before it.
  const std::vector<std::string> ids = pipeline.submit_workflow(tasks, /*sequential=*/true);

  const taskpipe::PipelineWorkflowStatus status = pipeline.get_workflow_status(ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const taskpipe::PipelineStatus& task = status.tasks.at(ids[i]);
    std::cout << "step " << i + 1 << "  " << tasks[i].tool << "  " << name_of(task.state);
    if (task.result) std::cout << "  " << task.result->duration_seconds << " s";
    std::cout << "  " << task.error << '\n';
  }
  return status.completed == status.total ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 2;
}
