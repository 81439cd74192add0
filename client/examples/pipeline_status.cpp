// Manual status: for programs that have a loop of their own and look in from time to time. Where
// there is nothing else to do, monitor_task tells every change at once and asks nobody.
//
//   taskpipe_pipeline_status [BROKER]
#include <thread>

#include "client/examples/example_task.hpp"

int main(int argc, char** argv) try {
  taskpipe::TaskPipeline pipeline(example::options_from(argc, argv));
  const taskpipe::PipelineTask task = example::field_problem(pipeline, 64);
  const std::string id = pipeline.submit_task(task.tool, task.script, task.params);

  taskpipe::PipelineStatus status = pipeline.get_task_status(id);
  while (!status.ready()) {
    example::print(status);
    std::this_thread::sleep_for(std::chrono::milliseconds(250));  // whatever else there is to do
    status = pipeline.get_task_status(id);
  }
  example::print(status);
  std::cout << to_json_text(status.to_dict()) << '\n';
  return status.successful() == true ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 2;
}
