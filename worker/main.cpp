// taskpipe-worker: the worker agent with the tools of its toolbox and the builtin handlers.
#include <utility>

#include "worker/shell/worker_program.hpp"

int main(int argc, char** argv) {
  return taskpipe::worker::run_worker(argc, argv, taskpipe::worker::HandlerRegistry());
}
