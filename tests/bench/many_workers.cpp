// Thousands of workers in one process, each with a connection and a session of its own, to see what
// they cost a broker.
//
//   many_workers ENDPOINT COUNT FIRST TOOL   COUNT workers, numbered from FIRST, that offer TOOL
//
// Prints "ready" once every one has its WELCOME. Each takes one task at a time and ends it at once
// with SUCCESS, claiming that it took kClaimedUs: nothing is sent ahead to tools that slow. Ends at
// the end of its standard input, and prints {"tasks": n}.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <zmq.hpp>

#include "common/protocol/codec.hpp"

namespace {

using taskpipe::Correlation;
using taskpipe::Message;
using taskpipe::SessionId;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kClaimedUs = 50'000;
constexpr std::uint64_t kCreditSlots = 1U << 30U;
constexpr std::uint64_t kCreditBytes = std::uint64_t{1} << 40U;
constexpr int kConnectingAtOnce = 200;  // the listener's backlog is not what is measured
constexpr unsigned kRestWhenIdleUs = 1000;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "many_workers: %s\n", why.c_str());
  std::exit(1);
}

class Worker {
 public:
  Worker(zmq::context_t& context, const std::string& endpoint, std::uint64_t number,
         std::string tool)
      : socket_(context, zmq::socket_type::dealer), number_(number), tool_(std::move(tool)) {
    socket_.set(zmq::sockopt::immediate, 1);
    socket_.set(zmq::sockopt::probe_router, 1);
    socket_.set(zmq::sockopt::linger, 0);
    socket_.connect(endpoint);
  }

  [[nodiscard]] bool welcomed() const { return session_.value() != 0; }
  [[nodiscard]] std::uint64_t tasks() const { return tasks_; }

  // Answers what has come; whether anything had.
  bool answer() {
    bool any = false;
    while (receive()) {
      any = true;
      if (frames_.size() < 2) continue;
      std::vector<taskpipe::protocol::FrameView> views;
      for (const auto& frame : frames_) {
        views.push_back(std::as_bytes(std::span(frame.data<char>(), frame.size())));
      }
      auto decoded = taskpipe::protocol::decode(views);
      if (!decoded) fail(decoded.error().text);
      handle(decoded->message);
    }
    return any;
  }

  // A sign of life, when one is due. The first comes at a time of its own: they must not all come
  // at once.
  void ping(Clock::time_point now) {
    if (!welcomed() || now < next_ping_) return;
    send(taskpipe::Ping{1});
    next_ping_ = now + heartbeat_;
  }

 private:
  bool receive() {
    frames_.clear();
    do {
      zmq::message_t frame;
      if (!socket_.recv(frame, zmq::recv_flags::dontwait)) return false;
      frames_.push_back(std::move(frame));
    } while (frames_.back().more());
    return true;
  }

  void send(Message message) {
    auto encoded = taskpipe::protocol::encode(message, Correlation(++correlation_), session_);
    if (!encoded) fail(encoded.error().text);
    socket_.send(zmq::buffer(encoded->header), zmq::send_flags::sndmore);
    socket_.send(zmq::buffer(encoded->body), zmq::send_flags::none);
  }

  void handle(const Message& message) {
    if (std::holds_alternative<taskpipe::Who>(message)) {
      if (!welcomed()) hello();
    } else if (const auto* welcome = std::get_if<taskpipe::Welcome>(&message)) {
      session_ = welcome->session;
      heartbeat_ = std::chrono::milliseconds(welcome->heartbeat_ms);
      next_ping_ = Clock::now() + heartbeat_ * static_cast<int>(number_ % 100) / 100;
      send(taskpipe::Credit{kCreditSlots, kCreditBytes});
    } else if (const auto* tasks = std::get_if<taskpipe::Tasks>(&message)) {
      end(*tasks);
    } else if (const auto* error = std::get_if<taskpipe::ErrorReply>(&message)) {
      fail(error->error.text);
    } else if (const auto* bye = std::get_if<taskpipe::Bye>(&message)) {
      fail("sent away: " + bye->reason);
    }
  }

  void hello() {
    taskpipe::Hello hello;
    hello.role = taskpipe::Role::worker;
    hello.user = "bench";
    hello.uuid = taskpipe::PeerUuid(0x6d616e79, number_ + 1);
    hello.incarnation = 1;
    hello.name = "many" + std::to_string(number_);
    hello.host = "host" + std::to_string(number_);
    taskpipe::ToolOffer tool;
    tool.name = tool_;
    taskpipe::WorkerOffer offer;
    offer.slots = 1;
    offer.resources.cpus = 1;
    offer.tools.push_back(std::move(tool));
    hello.worker = std::move(offer);
    send(std::move(hello));
  }

  void end(const taskpipe::Tasks& tasks) {
    taskpipe::Result result;
    for (const auto& item : tasks.items) {
      taskpipe::Outcome outcome;
      outcome.state = taskpipe::TaskState::success;
      outcome.usage.wall_us = kClaimedUs;
      result.items.push_back({item.attempt, std::move(outcome)});
    }
    tasks_ += result.items.size();
    send(std::move(result));
  }

  zmq::socket_t socket_;
  std::uint64_t number_;
  std::string tool_;
  SessionId session_;
  std::uint64_t correlation_ = 0;
  std::uint64_t tasks_ = 0;
  Clock::duration heartbeat_{};
  Clock::time_point next_ping_;
  std::vector<zmq::message_t> frames_;
};

bool told_to_end() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, 0) > 0;
}

// One pass over all sockets in place of a poll: libzmq's would look at each one too.
bool serve(std::deque<Worker>& workers) {
  bool any = false;
  const auto now = Clock::now();
  for (auto& worker : workers) {
    any = worker.answer() || any;
    worker.ping(now);
  }
  return any;
}

void run(const std::string& endpoint, std::uint64_t count, std::uint64_t first,
         const std::string& tool) {
  zmq::context_t context(1);
  context.set(zmq::ctxopt::max_sockets, static_cast<int>(count) + 10);
  std::deque<Worker> workers;
  std::size_t greeted = 0;
  while (greeted < count) {
    while (workers.size() < count && workers.size() < greeted + kConnectingAtOnce) {
      workers.emplace_back(context, endpoint, first + workers.size(), tool);
    }
    if (!serve(workers)) ::usleep(kRestWhenIdleUs);
    while (greeted < workers.size() && workers[greeted].welcomed()) ++greeted;
  }
  std::puts("ready");
  std::fflush(stdout);
  while (!told_to_end()) {
    if (!serve(workers)) ::usleep(kRestWhenIdleUs);
  }
  std::uint64_t tasks = 0;
  for (const auto& worker : workers) tasks += worker.tasks();
  std::printf("{\"tasks\": %llu}\n", static_cast<unsigned long long>(tasks));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: many_workers ENDPOINT COUNT FIRST TOOL\n");
    return 2;
  }
  run(argv[1], std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10), argv[4]);
  return 0;
}
