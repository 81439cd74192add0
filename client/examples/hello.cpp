// The smallest client: submits one task, waits for it, prints how it ended.
//
//   taskpipe_hello [BROKER]        # default: tcp://127.0.0.1:7610
#include <iostream>

#include "taskpipe/client.hpp"

int main(int argc, char** argv) {
  taskpipe::ClientOptions options;
  if (argc > 1) options.broker = argv[1];
  taskpipe::Client client(options);

  const taskpipe::TaskRequest task{
      .tool = "shell", .script = "hello.sh", .params = {{"name", "taskpipe"}, {"steps", 3}}};
  const auto id = client.submit(task);
  if (!id) {
    std::cerr << "not submitted: " << id.error().text() << '\n';
    return 1;
  }
  std::cout << "task " << id->to_string() << '\n';

  const auto result = client.wait(*id);
  if (!result) {
    std::cerr << "no result: " << result.error().text() << '\n';
    return 1;
  }
  std::cout << name_of(result->outcome.state) << " on " << result->worker << '\n'
            << result->report.stdout_tail;
  return result->succeeded() ? 0 : 1;
}
