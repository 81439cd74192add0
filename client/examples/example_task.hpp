// What the examples run: the real solvers where the cluster has them, else something small.
#pragma once

#include <iostream>
#include <string>

#include "taskpipe/task_pipeline.hpp"

namespace example {

// The broker's address from the command line, else from TASKPIPE_BROKER, else the usual one.
inline taskpipe::ClientOptions options_from(int argc, char** argv) {
  return taskpipe::client_options_from_environment(argc > 1 ? argv[1] : "");
}

// A Poisson problem with FEniCSx on an n by n mesh, or an estimate of pi.
inline taskpipe::PipelineTask field_problem(taskpipe::TaskPipeline& pipeline, int n) {
  if (pipeline.list_available_simulations().tools.contains("fenicsx")) {
    return {"fenicsx", "poisson.py", {{"mesh_size", n}}};
  }
  return {"python", "pi.py", {{"samples", n * 2000}}};
}

// A Lennard-Jones fluid with LAMMPS, or a script that greets.
inline taskpipe::PipelineTask particle_problem(taskpipe::TaskPipeline& pipeline, int steps) {
  if (pipeline.list_available_simulations().tools.contains("lammps")) {
    return {"lammps", "example.lammps", {{"steps", steps}}};
  }
  return {"shell", "hello.sh", {{"steps", 3}, {"pause", 0.01}}};
}

inline void print(const taskpipe::PipelineStatus& status) {
  std::cout << status.task_id << "  " << name_of(status.state);
  if (status.state == taskpipe::TaskState::running) {
    std::cout << "  " << status.progress_percent << " %  " << status.message;
  }
  if (!status.error.empty()) std::cout << "  " << status.error;
  std::cout << std::endl;
}

}  // namespace example
