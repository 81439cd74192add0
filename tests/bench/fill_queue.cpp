// A client that lets tasks pile up, to see what a queue costs.
//
//   fill_queue BROKER TASKS TOOL              submits them, prints "submitted", and leaves
//   fill_queue BROKER TASKS TOOL wait         … and waits until all have ended: "done"
//   fill_queue BROKER TASKS TOOL window SIZE  never has more than SIZE of them waiting: "done"
//
// Tasks have 100 bytes of params. They wait for a worker when none has ever offered the tool.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "taskpipe/client.hpp"

namespace {

using taskpipe::Client;
using taskpipe::TaskId;
using taskpipe::TaskRequest;

constexpr std::size_t kPayloadBytes = 100;
constexpr std::size_t kChunkTasks = 20'000;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "fill_queue: %s\n", why.c_str());
  std::exit(1);
}

void say(const char* word) {
  std::puts(word);
  std::fflush(stdout);
}

std::vector<TaskId> submit(Client& client, const TaskRequest& task, std::size_t count) {
  const std::vector<TaskRequest> chunk(std::min(count, kChunkTasks), task);
  std::vector<TaskId> ids;
  while (ids.size() < count) {
    const std::size_t now = std::min(chunk.size(), count - ids.size());
    auto more = client.submit_batch(std::span(chunk).first(now));
    if (!more) fail(more.error().first().text());
    ids.insert(ids.end(), more->begin(), more->end());
  }
  return ids;
}

void wait(Client& client, const std::vector<TaskId>& ids) {
  const auto results = client.wait_all(ids);
  if (!results) fail(results.error().text());
  for (const auto& result : *results) {
    if (!result.succeeded()) fail("a task did not succeed: " + result.outcome.reason);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 4 ? argv[4] : "";
  if (argc < 4 || (mode == "window" ? argc != 6 : argc > 5)) {
    std::fprintf(stderr, "usage: fill_queue BROKER TASKS TOOL [wait | window SIZE]\n");
    return 2;
  }
  taskpipe::ClientOptions options;
  options.broker = argv[1];
  options.request_timeout = taskpipe::Millis(600'000);
  Client client(options);
  TaskRequest task;
  task.tool = argv[3];
  task.wait_for_capacity = true;
  task.params["data"] = taskpipe::Value(std::string(kPayloadBytes, 'x'));
  const auto tasks = static_cast<std::size_t>(std::strtoull(argv[2], nullptr, 10));
  if (mode == "window") {
    const auto size = static_cast<std::size_t>(std::strtoull(argv[5], nullptr, 10));
    for (std::size_t done = 0; done < tasks; done += size) {
      wait(client, submit(client, task, std::min(size, tasks - done)));
    }
  } else {
    const auto ids = submit(client, task, tasks);
    say("submitted");
    if (mode != "wait") return 0;
    wait(client, ids);
  }
  say("done");
  return 0;
}
