// A client under load that keeps its own books, for tests that break the broker meanwhile.
//
//   load_client BROKER TASKS [BYTES [JOIN_FILE]]
//
// Submits TASKS `echo` tasks, each with its own number and BYTES of padding, from several threads;
// waits for every one that was acknowledged; compares what came back with what was sent. Prints one
// JSON object:
//   {"acknowledged": n, "refused": n, "lost": n, "wrong": n, "ids": [hex, …]}
// and exits 0 when nothing is lost or wrong.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "taskpipe/client.hpp"

namespace {

using taskpipe::Client;
using taskpipe::TaskId;
using taskpipe::TaskRequest;
using taskpipe::Value;

constexpr std::size_t kThreads = 4;
constexpr std::size_t kBatch = 50;
constexpr taskpipe::Millis kPatience{180'000};  // the broker may be away for a while, several times

struct Books {
  std::mutex mutex;
  std::vector<std::pair<TaskId, std::int64_t>> acknowledged;
  std::atomic<std::size_t> refused{0};
  std::atomic<std::size_t> lost{0};
  std::atomic<std::size_t> wrong{0};
};

TaskRequest echo(std::int64_t number, std::size_t padding) {
  TaskRequest task;
  task.tool = "echo";
  task.params["number"] = Value(number);
  if (padding > 0) task.params["padding"] = Value(std::string(padding, 'p'));
  return task;
}

void submit_range(Client& client, std::int64_t begin, std::int64_t end, std::size_t padding,
                  Books& books) {
  for (std::int64_t at = begin; at < end; at += kBatch) {
    std::vector<TaskRequest> batch;
    for (std::int64_t i = at; i < end && i < at + static_cast<std::int64_t>(kBatch); ++i) {
      batch.push_back(echo(i, padding));
    }
    const auto ids = client.submit_batch(batch, {.timeout = kPatience, .stop = {}});
    if (!ids) {
      books.refused += ids.error().items.size();
      std::fprintf(stderr, "load_client: %s\n", ids.error().first().text().c_str());
      continue;
    }
    const std::lock_guard lock(books.mutex);
    for (std::size_t i = 0; i < ids->size(); ++i) {
      books.acknowledged.emplace_back((*ids)[i], at + static_cast<std::int64_t>(i));
    }
  }
}

void check(Client& client, const TaskId& id, std::int64_t number, Books& books) {
  const auto result = client.wait(id, {.timeout = kPatience, .stop = {}});
  if (!result) {
    std::fprintf(stderr, "load_client: %s: %s\n", id.to_string().c_str(),
                 result.error().text().c_str());
    ++books.lost;
    return;
  }
  const Value* echoed = result->report.value.find("number");
  const auto* value = echoed == nullptr ? nullptr : echoed->as<std::int64_t>();
  if (!result->succeeded() || value == nullptr || *value != number) {
    std::fprintf(stderr, "load_client: %s came back as %s (%s)\n", id.to_string().c_str(),
                 std::string(taskpipe::name_of(result->outcome.state)).c_str(),
                 result->outcome.reason.c_str());
    ++books.wrong;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    std::fprintf(stderr, "usage: load_client BROKER TASKS [BYTES [JOIN_FILE]]\n");
    return 2;
  }
  taskpipe::ClientOptions options;
  options.broker = argv[1];
  if (argc == 5) options.join = argv[4];
  Client client(options);
  const auto tasks = static_cast<std::int64_t>(std::strtoll(argv[2], nullptr, 10));
  const auto padding = static_cast<std::size_t>(argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0);
  Books books;
  {
    std::vector<std::thread> threads;
    const std::int64_t share = tasks / static_cast<std::int64_t>(kThreads);
    for (std::size_t i = 0; i < kThreads; ++i) {
      const std::int64_t begin = static_cast<std::int64_t>(i) * share;
      const std::int64_t end = i + 1 == kThreads ? tasks : begin + share;
      threads.emplace_back([&, begin, end] { submit_range(client, begin, end, padding, books); });
    }
    for (auto& thread : threads) thread.join();
  }
  std::fprintf(stderr, "load_client: all submitted\n");
  for (const auto& [id, number] : books.acknowledged) check(client, id, number, books);
  std::printf("{\"acknowledged\": %zu, \"refused\": %zu, \"lost\": %zu, \"wrong\": %zu, \"ids\": [",
              books.acknowledged.size(), books.refused.load(), books.lost.load(),
              books.wrong.load());
  const char* separator = "";
  for (const auto& [id, number] : books.acknowledged) {
    std::printf("%s\"%s\"", separator, id.to_string().c_str());
    separator = ", ";
  }
  std::printf("]}\n");
  return books.lost == 0 && books.wrong == 0 ? 0 : 1;
}
