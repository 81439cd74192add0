#include "common/net/zap_server.hpp"

#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "common/net/frame_io.hpp"
#include "common/net/poll_loop.hpp"

namespace taskpipe::net {
namespace {

constexpr const char* kAddress = "inproc://zeromq.zap.01";
constexpr std::string_view kVersion = "1.0";
constexpr std::string_view kMechanism = "CURVE";

// Version, request id, domain, address, routing id, mechanism, credentials.
enum Part : std::size_t { version, request_id, domain, address, routing, mechanism, key, parts };

struct Question {
  std::array<std::string, parts> part;
  bool whole = false;
};

Question receive(zmq::socket_t& socket, zmq::message_t& first) {
  Question question;
  std::size_t count = 0;
  for (;;) {
    if (count < parts) question.part[count].assign(text_of(first));
    ++count;
    if (!first.more() || !receive_frame(socket, first)) break;
  }
  question.whole = count == parts;
  return question;
}

std::optional<ZapRequest> request_of(Question& question) {
  if (!question.whole || question.part[version] != kVersion ||
      question.part[mechanism] != kMechanism || question.part[key].size() != security::kKeyBytes) {
    return std::nullopt;
  }
  security::KeyBytes bytes{};
  std::memcpy(bytes.data(), question.part[key].data(), bytes.size());
  return ZapRequest{std::move(question.part[domain]), std::move(question.part[address]),
                    security::PublicKey(bytes)};
}

// 200 or 400. Never 300, "try again later": libzmq 4.3 leaves the peer hanging then.
void answer(zmq::socket_t& socket, const std::string& request_id, bool admitted,
            const std::string& user_id) {
  const std::array<std::string_view, 6> reply = {
      kVersion, request_id, admitted ? "200" : "400", admitted ? "welcome" : "not admitted",
      user_id,  ""};
  PartSender sender(socket);
  for (std::size_t i = 0; i < reply.size(); ++i) {
    sender.part(std::as_bytes(std::span(reply[i])), i + 1 < reply.size());
  }
}

}  // namespace

struct ZapServer::Impl {
  Impl(Context& context, Decide how)
      : decide(std::move(how)),
        questions(context.native(), zmq::socket_type::rep),
        stop_sender(context.native(), zmq::socket_type::pair),
        stop_receiver(context.native(), zmq::socket_type::pair) {
    for (zmq::socket_t* socket : {&questions, &stop_sender, &stop_receiver}) {
      socket->set(zmq::sockopt::linger, 0);
    }
    questions.bind(kAddress);
    stop_receiver.bind("inproc://taskpipe-zap-stop");
    stop_sender.connect("inproc://taskpipe-zap-stop");
    thread = std::thread([this] { run(); });
  }

  void run() {
    Poller poller;
    poller.add(questions);
    poller.add(stop_receiver);
    zmq::message_t frame;
    for (;;) {
      poller.wait(std::nullopt);
      if (receive_frame(stop_receiver, frame)) break;
      while (receive_frame(questions, frame)) {
        Question question = receive(questions, frame);
        const std::string id = question.part[request_id];
        const auto request = request_of(question);
        const bool admitted = request && decide(*request);
        answer(questions, id, admitted, admitted ? request->key.hex() : "");
      }
    }
    questions.close();
    stop_receiver.close();
  }

  Decide decide;
  zmq::socket_t questions;
  zmq::socket_t stop_sender;
  zmq::socket_t stop_receiver;
  std::thread thread;
};

ZapServer::ZapServer(Context& context, Decide decide)
    : impl_(std::make_unique<Impl>(context, std::move(decide))) {}

ZapServer::~ZapServer() {
  zmq::message_t stop;
  static_cast<void>(impl_->stop_sender.send(stop, zmq::send_flags::none));
  impl_->thread.join();
}

}  // namespace taskpipe::net
