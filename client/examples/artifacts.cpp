// Sends a file with a task, and fetches what the task leaves.
//
//   taskpipe_artifacts FOLDER [BROKER]        # default: tcp://127.0.0.1:7610
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "taskpipe/client.hpp"

namespace {

int complain(const taskpipe::ClientError& error) {
  std::cerr << error.text() << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: taskpipe_artifacts FOLDER [BROKER]\n";
    return 2;
  }
  const std::string folder = argv[1];
  taskpipe::ClientOptions options;
  if (argc > 2) options.broker = argv[2];
  taskpipe::Client client(options);

  std::ofstream("numbers.txt") << "3\n1\n2\n";
  taskpipe::TaskRequest task{.tool = "shell", .script = "sort.sh"};
  task.inline_script =
      "mkdir out; sort numbers.txt > out/sorted.txt; tail -n 1 out/* > largest.txt";
  const std::vector<taskpipe::InputFile> files = {{"numbers.txt"}};
  const auto inputs = client.upload(files);
  if (!inputs) return complain(inputs.error());
  task.inputs = *inputs;  // of as many tasks as you like
  const auto id = client.submit(task);
  if (!id) return complain(id.error());

  const auto left = client.artifacts(*id);
  if (!left) return complain(left.error());
  for (const auto& artifact : *left) {
    std::cout << artifact.name << ' ' << artifact.size_bytes << ' ' << artifact.sha256 << '\n';
  }
  const auto paths = client.get_artifacts(*id, folder, {"*.txt"});
  if (!paths) return complain(paths.error());
  for (const std::string& path : *paths) std::cout << path << '\n';
  return 0;
}
