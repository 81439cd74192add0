// The limit to measure against: libzmq alone doing what a broker must do with its messages.
//
//   client DEALER → ROUTER relay ROUTER → DEALER worker, and back; tcp on loopback, three
//   processes. Nothing is stored, checked, encoded or scheduled.
//
//   raw_relay throughput TASKS [PACKED]  → {"tasks_per_s": …}
//   raw_relay roundtrip TASKS            → {"p50_us": …, "p99_us": …, …}
//
// A task is 100 bytes. Unless PACKED says how many there are in a message, there is one; packed,
// each is copied alone into and out of the message at both ends.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <zmq.hpp>

#include "measure.hpp"

namespace {

constexpr std::size_t kPayloadBytes = 100;
constexpr std::size_t kWindow = 16'384;  // tasks on their way at a time
constexpr std::size_t kWarmUpRoundTrips = 200;
constexpr char kStop = 'S';
using taskpipe::bench::Clock;

void configure(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::sndhwm, 0);
  socket.set(zmq::sockopt::rcvhwm, 0);
  socket.set(zmq::sockopt::linger, 1000);
}

// Receives one whole message; false when none is waiting.
bool receive(zmq::socket_t& from, std::vector<zmq::message_t>& frames) {
  frames.clear();
  do {
    zmq::message_t frame;
    if (!from.recv(frame, frames.empty() ? zmq::recv_flags::dontwait : zmq::recv_flags::none)) {
      return false;
    }
    frames.push_back(std::move(frame));
  } while (frames.back().more());
  return true;
}

[[noreturn]] void relay(int ports_fd) {
  zmq::context_t context;
  zmq::socket_t clients(context, zmq::socket_type::router);
  zmq::socket_t workers(context, zmq::socket_type::router);
  configure(clients);
  configure(workers);
  clients.bind("tcp://127.0.0.1:*");
  workers.bind("tcp://127.0.0.1:*");
  std::array<char, 128> ports{};
  std::snprintf(ports.data(), ports.size(), "%s %s",
                clients.get(zmq::sockopt::last_endpoint).c_str(),
                workers.get(zmq::sockopt::last_endpoint).c_str());
  if (::write(ports_fd, ports.data(), ports.size()) < 0) std::exit(1);

  std::vector<zmq::message_t> frames;
  zmq::message_t worker_id;
  (void)workers.recv(worker_id);  // the worker announces itself with an empty message
  zmq::message_t hello;
  (void)workers.recv(hello);
  std::array<zmq::pollitem_t, 2> items = {zmq::pollitem_t{clients.handle(), 0, ZMQ_POLLIN, 0},
                                          zmq::pollitem_t{workers.handle(), 0, ZMQ_POLLIN, 0}};
  bool stopping = false;
  while (!stopping) {
    zmq::poll(items.data(), items.size(), std::chrono::milliseconds(-1));
    for (int i = 0; i < 256 && receive(clients, frames); ++i) {
      stopping = frames[1].size() == 1 && *frames[1].data<char>() == kStop;
      zmq::message_t to;
      to.copy(worker_id);
      workers.send(to, zmq::send_flags::sndmore);
      workers.send(frames[0], zmq::send_flags::sndmore);
      workers.send(frames[1], zmq::send_flags::none);
    }
    for (int i = 0; i < 256 && receive(workers, frames); ++i) {
      clients.send(frames[1], zmq::send_flags::sndmore);
      clients.send(frames[2], zmq::send_flags::none);
    }
  }
  clients.close();
  workers.close();
  context.close();
  std::_Exit(0);
}

// Task by task, as whoever packs and unpacks them must.
void copy_tasks(const zmq::message_t& from, char* to) {
  for (std::size_t at = 0; at < from.size(); at += kPayloadBytes) {
    std::memcpy(to + at, from.data<char>() + at, std::min(kPayloadBytes, from.size() - at));
  }
}

[[noreturn]] void work(const std::string& endpoint) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  configure(socket);
  socket.connect(endpoint);
  socket.send(zmq::message_t(), zmq::send_flags::none);
  while (true) {
    zmq::message_t client;
    zmq::message_t task;
    (void)socket.recv(client);
    (void)socket.recv(task);
    if (task.size() == 1 && *task.data<char>() == kStop) break;
    zmq::message_t result(task.size());
    copy_tasks(task, result.data<char>());
    socket.send(client, zmq::send_flags::sndmore);
    socket.send(result, zmq::send_flags::none);
  }
  socket.close();
  context.close();
  std::_Exit(0);
}

void measure_throughput(zmq::socket_t& socket, std::size_t tasks, std::size_t packed) {
  const std::string payload(kPayloadBytes * packed, 'x');
  std::string unpacked(payload.size(), ' ');
  const std::size_t messages = (tasks + packed - 1) / packed;
  const std::size_t window = std::max<std::size_t>(2, kWindow / packed);
  const auto start = Clock::now();
  std::size_t sent = 0;
  std::size_t received = 0;
  zmq::message_t result;
  const auto take = [&] {
    copy_tasks(result, unpacked.data());
    ++received;
  };
  while (received < messages) {
    for (int i = 0; i < 256 && sent < messages && sent - received < window; ++i, ++sent) {
      zmq::message_t message(payload.size());
      for (std::size_t at = 0; at < payload.size(); at += kPayloadBytes) {
        std::memcpy(message.data<char>() + at, payload.data() + at, kPayloadBytes);
      }
      socket.send(message, zmq::send_flags::none);
    }
    const bool must_wait = sent == messages || sent - received >= window;
    if (must_wait) {
      (void)socket.recv(result);
      take();
    }
    while (received < messages && socket.recv(result, zmq::recv_flags::dontwait)) take();
  }
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  std::printf("{\"tasks_per_s\": %.0f}\n",
              static_cast<double>(messages * packed) / elapsed.count());
}

void measure_round_trip(zmq::socket_t& socket, std::size_t tasks) {
  const std::string payload(kPayloadBytes, 'x');
  zmq::message_t result;
  taskpipe::bench::print_round_trips(tasks, kWarmUpRoundTrips, [&] {
    socket.send(zmq::buffer(payload), zmq::send_flags::none);
    (void)socket.recv(result);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: raw_relay throughput|roundtrip TASKS [PACKED]\n");
    return 2;
  }
  const auto tasks = static_cast<std::size_t>(std::strtoull(argv[2], nullptr, 10));
  const std::size_t packed =
      argc == 4 ? std::max<std::size_t>(1, std::strtoull(argv[3], nullptr, 10)) : 1;
  std::array<int, 2> pipe_fds{};
  if (::pipe(pipe_fds.data()) != 0) return 1;
  const pid_t relay_pid = ::fork();  // before any ZeroMQ context exists
  if (relay_pid == 0) relay(pipe_fds[1]);
  std::array<char, 128> ports{};
  if (::read(pipe_fds[0], ports.data(), ports.size()) <= 0) return 1;
  const std::string both(ports.data());
  const auto space = both.find(' ');
  const pid_t worker_pid = ::fork();
  if (worker_pid == 0) work(both.substr(space + 1));
  {
    zmq::context_t context;
    zmq::socket_t socket(context, zmq::socket_type::dealer);
    configure(socket);
    socket.connect(both.substr(0, space));
    if (std::strcmp(argv[1], "throughput") == 0) {
      measure_throughput(socket, tasks, packed);
    } else {
      measure_round_trip(socket, tasks);
    }
    socket.send(zmq::buffer(&kStop, 1), zmq::send_flags::none);
  }
  ::waitpid(relay_pid, nullptr, 0);
  ::waitpid(worker_pid, nullptr, 0);
  return 0;
}
