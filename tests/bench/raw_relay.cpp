// The limit to measure against: libzmq alone doing what a broker must do with its messages.
//
//   client DEALER → ROUTER relay ROUTER → DEALER worker, and back; tcp on loopback, one task of 100
//   bytes per message, three processes. Nothing is stored, checked, encoded or scheduled.
//
//   raw_relay throughput TASKS   → {"tasks_per_s": …}
//   raw_relay roundtrip TASKS    → {"p50_us": …, "p99_us": …}
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <zmq.hpp>

namespace {

constexpr std::size_t kPayloadBytes = 100;
constexpr std::size_t kWindow = 16'384;  // tasks on their way at a time
constexpr std::size_t kWarmUpRoundTrips = 200;
constexpr char kStop = 'S';
using Clock = std::chrono::steady_clock;

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
    zmq::message_t result(task.data(), task.size());
    socket.send(client, zmq::send_flags::sndmore);
    socket.send(result, zmq::send_flags::none);
  }
  socket.close();
  context.close();
  std::_Exit(0);
}

void measure_throughput(zmq::socket_t& socket, std::size_t tasks) {
  const std::string payload(kPayloadBytes, 'x');
  const auto start = Clock::now();
  std::size_t sent = 0;
  std::size_t received = 0;
  zmq::message_t result;
  while (received < tasks) {
    for (int i = 0; i < 256 && sent < tasks && sent - received < kWindow; ++i, ++sent) {
      socket.send(zmq::buffer(payload), zmq::send_flags::none);
    }
    const bool must_wait = sent == tasks || sent - received >= kWindow;
    if (must_wait) {
      (void)socket.recv(result);
      ++received;
    }
    while (received < tasks && socket.recv(result, zmq::recv_flags::dontwait)) ++received;
  }
  const std::chrono::duration<double> elapsed = Clock::now() - start;
  std::printf("{\"tasks_per_s\": %.0f}\n", static_cast<double>(tasks) / elapsed.count());
}

void measure_round_trip(zmq::socket_t& socket, std::size_t tasks) {
  const std::string payload(kPayloadBytes, 'x');
  std::vector<double> microseconds;
  zmq::message_t result;
  for (std::size_t i = 0; i < tasks + kWarmUpRoundTrips; ++i) {
    const auto start = Clock::now();
    socket.send(zmq::buffer(payload), zmq::send_flags::none);
    (void)socket.recv(result);
    const std::chrono::duration<double, std::micro> elapsed = Clock::now() - start;
    if (i >= kWarmUpRoundTrips) microseconds.push_back(elapsed.count());
  }
  std::sort(microseconds.begin(), microseconds.end());
  std::printf("{\"p50_us\": %.1f, \"p99_us\": %.1f}\n", microseconds[microseconds.size() / 2],
              microseconds[microseconds.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: raw_relay throughput|roundtrip TASKS\n");
    return 2;
  }
  const auto tasks = static_cast<std::size_t>(std::strtoull(argv[2], nullptr, 10));
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
      measure_throughput(socket, tasks);
    } else {
      measure_round_trip(socket, tasks);
    }
    socket.send(zmq::buffer(&kStop, 1), zmq::send_flags::none);
  }
  ::waitpid(relay_pid, nullptr, 0);
  ::waitpid(worker_pid, nullptr, 0);
  return 0;
}
