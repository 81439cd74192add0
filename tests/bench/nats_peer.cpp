// NATS JetStream, as a task queue at its best: a work-queue stream in a file, batches of 256 pulled
// by the worker, asynchronous publishes; results go back over plain NATS, which stores nothing.
//
//   nats_peer worker PORT BATCH        → the worker, until a signal; with a BATCH of 1 for latency
//   nats_peer throughput PORT TASKS    → {"tasks_per_s": …}
//   nats_peer roundtrip PORT TASKS     → {"p50_us": …, …}
//   nats_peer sustained PORT SECONDS   → {"tasks_per_s": …, "at_s": […], "finished": […]}
#include <nats/nats.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "measure.hpp"

namespace {

using taskpipe::bench::Clock;
using taskpipe::bench::seconds_since;

constexpr std::size_t kPayloadBytes = 100;
constexpr std::size_t kWindow = 60'000;  // tasks on their way at a time, as task_bench has
constexpr std::int64_t kUnacknowledged = 16'384;
constexpr std::size_t kWarmUpTasks = 2'000;
constexpr std::size_t kWarmUpRoundTrips = 100;
constexpr std::int64_t kPatienceMs = 60'000;
constexpr const char* kTasks = "tasks";
constexpr const char* kResults = "results";

void check(natsStatus status, const char* what) {
  if (status == NATS_OK) return;
  std::fprintf(stderr, "nats_peer: %s: %s\n", what, natsStatus_GetText(status));
  std::exit(1);
}

struct Connection {
  natsConnection* nats = nullptr;
  jsCtx* jetstream = nullptr;

  // `at_once`: without the millisecond for which cnats collects what it writes.
  Connection(const std::string& port, bool at_once) {
    natsOptions* options = nullptr;
    check(natsOptions_Create(&options), "options");
    check(natsOptions_SetURL(options, ("nats://127.0.0.1:" + port).c_str()), "address");
    check(natsOptions_SetSendAsap(options, at_once), "sending at once");
    check(natsConnection_Connect(&nats, options), "connect");
    natsOptions_Destroy(options);
    jsOptions more;
    jsOptions_Init(&more);
    more.PublishAsync.MaxPending = kUnacknowledged;
    more.PublishAsync.StallWait = kPatienceMs;
    check(natsConnection_JetStream(&jetstream, nats, &more), "JetStream");
  }
};

void make_stream(jsCtx* jetstream) {
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  const char* subjects[] = {kTasks};  // NOLINT(modernize-avoid-c-arrays): cnats wants one
  config.Name = "TASKS";
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.Retention = js_WorkQueuePolicy;
  config.Storage = js_FileStorage;
  jsStreamInfo* info = nullptr;
  check(js_AddStream(&info, jetstream, &config, nullptr, nullptr), "stream");
  jsStreamInfo_Destroy(info);
}

// A batch that is not full within this is taken as it is; none of it delays one that is there.
constexpr std::int64_t kFetchMs = 1000;

[[noreturn]] void work(const std::string& port, int batch) {
  const Connection to(port, batch == 1);
  make_stream(to.jetstream);
  jsSubOptions options;
  jsSubOptions_Init(&options);
  options.Config.AckPolicy = js_AckExplicit;
  options.Config.MaxAckPending = kUnacknowledged;
  natsSubscription* tasks = nullptr;
  check(js_PullSubscribe(&tasks, to.jetstream, kTasks, "workers", nullptr, &options, nullptr),
        "pull");
  std::printf("ready\n");
  std::fflush(stdout);
  while (true) {
    natsMsgList fetched{};
    const natsStatus status = natsSubscription_Fetch(&fetched, tasks, batch, kFetchMs, nullptr);
    if (status == NATS_TIMEOUT) continue;
    check(status, "fetch");
    for (int i = 0; i < fetched.Count; ++i) {
      check(natsConnection_Publish(to.nats, kResults, "", 0), "publish a result");
      check(natsMsg_Ack(fetched.Msgs[i], nullptr), "acknowledge");
    }
    natsMsgList_Destroy(&fetched);
  }
}

// The client's end: what it sent, and what has come back.
class Tasks {
 public:
  Tasks(const std::string& port, bool at_once) : to_(port, at_once) {
    check(natsConnection_SubscribeSync(&results_, to_.nats, kResults), "subscribe");
    check(natsSubscription_SetPendingLimits(results_, -1, -1), "limits");
  }

  void send() {
    check(js_PublishAsync(to_.jetstream, kTasks, payload_.data(), kPayloadBytes, nullptr),
          "publish");
  }

  void await_one() {
    natsMsg* result = nullptr;
    check(natsSubscription_NextMsg(&result, results_, kPatienceMs), "a result");
    natsMsg_Destroy(result);
  }

  // As many as `more` wants, kWindow of them on their way at a time.
  template <class More>
  void run(std::atomic<std::size_t>& finished, More more) {
    finished = 0;
    std::atomic<std::size_t> sent{0};
    std::atomic<bool> all_sent{false};
    std::thread taker([&] {
      while (!all_sent || finished < sent) {
        if (finished == sent) {
          std::this_thread::yield();
          continue;
        }
        await_one();
        ++finished;
      }
    });
    while (more(sent.load())) {
      if (sent - finished >= kWindow) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        continue;
      }
      ++sent;
      send();
    }
    all_sent = true;
    taker.join();
    check(js_PublishAsyncComplete(to_.jetstream, nullptr), "publishes");
  }

 private:
  Connection to_;
  natsSubscription* results_ = nullptr;
  std::string payload_ = std::string(kPayloadBytes, 'x');
};

void measure_throughput(Tasks& tasks, std::size_t count) {
  std::atomic<std::size_t> finished{0};
  tasks.run(finished, [](std::size_t sent) { return sent < kWarmUpTasks; });
  const auto start = Clock::now();
  tasks.run(finished, [&](std::size_t sent) { return sent < count; });
  std::printf("{\"tasks_per_s\": %.0f}\n", static_cast<double>(count) / seconds_since(start));
}

void measure_sustained(Tasks& tasks, std::size_t seconds) {
  std::atomic<std::size_t> finished{0};
  std::vector<std::pair<double, std::size_t>> curve;
  const auto start = Clock::now();
  const auto end = start + std::chrono::seconds(seconds);
  std::thread sampler([&] {
    for (auto at = start + std::chrono::seconds(1); at < end; at += std::chrono::seconds(1)) {
      std::this_thread::sleep_until(at);
      curve.emplace_back(seconds_since(start), finished.load());
    }
  });
  tasks.run(finished, [&](std::size_t) { return Clock::now() < end; });
  const double elapsed_s = seconds_since(start);
  sampler.join();
  taskpipe::bench::print_curve(static_cast<double>(finished) / elapsed_s, curve);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: nats_peer worker|throughput|roundtrip|sustained PORT NUMBER\n");
    return 2;
  }
  const auto number = static_cast<std::size_t>(std::strtoull(argv[3], nullptr, 10));
  if (std::strcmp(argv[1], "worker") == 0) work(argv[2], static_cast<int>(number));
  Tasks tasks(argv[2], std::strcmp(argv[1], "roundtrip") == 0);
  if (std::strcmp(argv[1], "throughput") == 0) {
    measure_throughput(tasks, number);
  } else if (std::strcmp(argv[1], "sustained") == 0) {
    measure_sustained(tasks, number);
  } else {
    taskpipe::bench::print_round_trips(number, kWarmUpRoundTrips, [&] {
      tasks.send();
      tasks.await_one();
    });
  }
  return 0;
}
