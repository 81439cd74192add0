// beanstalkd over its text protocol, pipelined: jobs wait in the tube `tasks`, results come back
// through the tube `results`; whoever takes a job deletes it.
//
//   beanstalk_peer worker PORT BATCH        → a worker, until a signal; takes up to BATCH jobs at
//   once beanstalk_peer throughput PORT TASKS    → {"tasks_per_s": …} beanstalk_peer roundtrip PORT
//   TASKS     → {"p50_us": …, …}
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

#include "measure.hpp"

namespace {

using taskpipe::bench::Clock;
using taskpipe::bench::seconds_since;

constexpr std::size_t kPayloadBytes = 100;
constexpr std::size_t kPutBatch = 256;  // puts in one write
constexpr std::size_t kTakeBatch = 64;  // results taken at once
constexpr std::size_t kWarmUpTasks = 2'000;
constexpr std::size_t kWarmUpRoundTrips = 100;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "beanstalk_peer: %s\n", why.c_str());
  std::exit(1);
}

class Connection {
 public:
  explicit Connection(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail(std::string("connect: ") + std::strerror(errno));
    }
  }

  void add(std::string_view text) { out_ += text; }

  void add_put(std::string_view body) {
    out_ += "put 0 0 600 " + std::to_string(body.size()) + "\r\n";
    out_ += body;
    out_ += "\r\n";
  }

  void flush() {
    for (std::size_t sent = 0; sent < out_.size();) {
      const ssize_t count = ::write(fd_, out_.data() + sent, out_.size() - sent);
      if (count <= 0) fail(std::string("write: ") + std::strerror(errno));
      sent += static_cast<std::size_t>(count);
    }
    out_.clear();
  }

  // The next line, without its end; valid until the next call.
  std::string_view line() {
    std::size_t end = in_.find("\r\n", at_);
    while (end == std::string::npos) {
      receive();
      end = in_.find("\r\n", at_);
    }
    const std::string_view found = std::string_view(in_).substr(at_, end - at_);
    at_ = end + 2;
    return found;
  }

  void skip(std::size_t bytes) {
    while (in_.size() - at_ < bytes) receive();
    at_ += bytes;
  }

  void expect(std::string_view word) {
    const std::string_view found = line();
    if (found.substr(0, word.size()) != word) fail("unexpected: " + std::string(found));
  }

 private:
  void receive() {
    in_.erase(0, at_);
    at_ = 0;
    const std::size_t before = in_.size();
    in_.resize(before + (64U << 10U));
    const ssize_t count = ::read(fd_, in_.data() + before, in_.size() - before);
    if (count <= 0) fail("the connection has ended");
    in_.resize(before + static_cast<std::size_t>(count));
  }

  int fd_;
  std::string out_;
  std::string in_;
  std::size_t at_ = 0;
};

void watch(Connection& connection, const std::string& tube) {
  connection.add("watch " + tube + "\r\nignore default\r\n");
  connection.flush();
  connection.expect("WATCHING");
  connection.expect("WATCHING");
}

void use(Connection& connection, const std::string& tube) {
  connection.add("use " + tube + "\r\n");
  connection.flush();
  connection.expect("USING");
}

// Waits for one job and takes what else is there, up to `batch`. Their number; `ids` has them.
std::size_t take(Connection& connection, std::size_t batch, std::vector<std::string>& ids) {
  ids.clear();
  connection.add("reserve\r\n");
  for (std::size_t i = 1; i < batch; ++i) connection.add("reserve-with-timeout 0\r\n");
  connection.flush();
  for (std::size_t i = 0; i < batch; ++i) {
    const std::string found(connection.line());
    if (found == "TIMED_OUT") continue;
    const auto space = found.find(' ', 9);
    if (found.compare(0, 9, "RESERVED ") != 0 || space == std::string::npos) {
      fail("unexpected: " + found);
    }
    ids.push_back(found.substr(9, space - 9));
    connection.skip(std::strtoull(found.c_str() + space, nullptr, 10) + 2);
  }
  return ids.size();
}

[[noreturn]] void work(std::uint16_t port, std::size_t batch) {
  Connection connection(port);
  watch(connection, "tasks");
  use(connection, "results");
  std::printf("ready\n");
  std::fflush(stdout);
  std::vector<std::string> ids;
  while (true) {
    const std::size_t taken = take(connection, batch, ids);
    for (const std::string& id : ids) {
      connection.add_put("");
      connection.add("delete " + id + "\r\n");
    }
    connection.flush();
    for (std::size_t i = 0; i < taken; ++i) {
      connection.expect("INSERTED");
      connection.expect("DELETED");
    }
  }
}

void submit(Connection& connection, std::size_t count) {
  const std::string payload(kPayloadBytes, 'x');
  for (std::size_t sent = 0; sent < count;) {
    const std::size_t batch = std::min(kPutBatch, count - sent);
    for (std::size_t i = 0; i < batch; ++i) connection.add_put(payload);
    connection.flush();
    for (std::size_t i = 0; i < batch; ++i) connection.expect("INSERTED");
    sent += batch;
  }
}

void collect(Connection& connection, std::size_t count, std::size_t batch) {
  std::vector<std::string> ids;
  for (std::size_t got = 0; got < count;) {
    got += take(connection, batch, ids);
    for (const std::string& id : ids) connection.add("delete " + id + "\r\n");
    connection.flush();
    for (std::size_t i = 0; i < ids.size(); ++i) connection.expect("DELETED");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: beanstalk_peer worker|throughput|roundtrip PORT NUMBER\n");
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::strtoul(argv[2], nullptr, 10));
  const auto number = static_cast<std::size_t>(std::strtoull(argv[3], nullptr, 10));
  if (std::strcmp(argv[1], "worker") == 0) work(port, number);
  Connection sending(port);
  Connection receiving(port);
  use(sending, "tasks");
  watch(receiving, "results");
  const auto run = [&](std::size_t count) {
    const auto start = Clock::now();
    std::thread submitter([&] { submit(sending, count); });
    collect(receiving, count, kTakeBatch);
    submitter.join();
    return seconds_since(start);
  };
  if (std::strcmp(argv[1], "throughput") == 0) {
    run(kWarmUpTasks);
    std::printf("{\"tasks_per_s\": %.0f}\n", static_cast<double>(number) / run(number));
  } else {
    taskpipe::bench::print_round_trips(number, kWarmUpRoundTrips, [&] {
      submit(sending, 1);
      collect(receiving, 1, 1);
    });
  }
  return 0;
}
