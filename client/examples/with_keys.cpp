// Talks to a broker that has keys: the join file says where it is, and proves who this is.
//
//   taskpipe keygen ann --keys /etc/taskpipe/cluster        # on the broker's host: join/ann.join
//   taskpipe_with_keys ann.join                             # without it: what TASKPIPE_JOIN names
#include <iostream>

#include "taskpipe/client.hpp"
#include "taskpipe/task_pipeline.hpp"  // client_options_from_environment

int main(int argc, char** argv) {
  taskpipe::ClientOptions options = taskpipe::client_options_from_environment();
  if (argc > 1) options.join = argv[1];
  taskpipe::Client client(options);

  taskpipe::TaskRequest task;
  task.tool = "echo";
  task.params = {{"text", "hello"}};
  const auto id = client.submit(task);
  if (!id) {  // also what is wrong with the key, and the remedy
    std::cerr << id.error().text() << '\n';
    return 1;
  }
  const auto result = client.wait(*id);
  const auto row = client.inspect(*id);
  if (!result || !row) return 1;
  // The owner is the key's user, whoever is logged in here.
  std::cout << name_of(row->state) << ", owned by " << row->owner << '\n';
  return 0;
}
