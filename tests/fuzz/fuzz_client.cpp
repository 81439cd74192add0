// What a broker may send to a client with open calls of every kind. What the client sends encodes,
// every call ends at most once, and nothing is delivered behind its end.
#include <array>
#include <map>

#include "client/src/session_core.hpp"
#include "tests/fuzz/frames.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/script_mutator.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::client {
namespace {

using fuzz::Bytes;
using fuzz::require;
using fuzz::Step;
namespace samples = protocol::samples;

PreparedTask task(std::uint32_t index) {
  static const auto kSpec = std::make_shared<const PreparedSpec>(PreparedSpec{
      samples::full_spec(), 17, protocol::encoded_size_bound(*samples::full_spec()), 0});
  return PreparedTask{
      samples::task_id(index), kSpec, Payload("params"), {1, index}, index % 2 == 0};
}

Hello hello() {
  Hello hello;
  hello.user = "ann";
  hello.uuid = PeerUuid(1, 1);
  return hello;
}

class FuzzedClient {
 public:
  FuzzedClient() : core_(SessionConfig{"tcp://broker:7610", hello(), Millis(5000)}, 42) {
    begin(command::Connect{});
    end_turn();
    core_.on_message({}, Who{Epoch(7)}, now_, out_);
    end_turn();
    Welcome welcome;
    welcome.session = session_ = SessionId(900);
    welcome.epoch = Epoch(7);
    welcome.heartbeat_ms = limits::kHeartbeatMs;
    welcome.lease_ms = limits::kLeaseMs;
    welcome.messages_total = limits::kClientWindowItems;
    welcome.bytes_total = limits::kClientWindowBytes;
    core_.on_message({session_, {}}, std::move(welcome), now_, out_);
    end_turn();
    require(core_.link().ready(), "the session begins");
  }

  void run(const Step& step) {
    static constexpr std::array kActs = {
        &FuzzedClient::message, &FuzzedClient::message,    &FuzzedClient::message,
        &FuzzedClient::message, &FuzzedClient::malformed,  &FuzzedClient::pass_time,
        &FuzzedClient::call,    &FuzzedClient::call,       &FuzzedClient::give_up,
        &FuzzedClient::sockets, &FuzzedClient::turn_seldom};
    (this->*kActs[step.op % kActs.size()])(step);
  }

 private:
  // arg: another session (2 bits), end of the turn, which request it answers (5 bits).
  Received header_of(std::uint8_t arg) const {
    Received header{session_, {}};
    if ((arg & 3U) == 3) header.session = SessionId{};
    if (!sent_.empty() && arg >> 3U != 31) {
      header.correlation = sent_[sent_.size() - 1 - (arg >> 3U) % sent_.size()];
    }
    return header;
  }
  void message(const Step& step) {
    auto decoded = fuzz::decode_spelled(step.payload);
    if (!decoded) return malformed(step);
    Received header = header_of(step.arg);
    if (const auto* welcome = std::get_if<Welcome>(&decoded->message)) {
      header.session = welcome->session;
    }
    core_.on_message(header, std::move(decoded->message), now_, out_);
    if ((step.arg & 4U) == 0) end_turn();
  }
  void malformed(const Step& step) {
    std::optional<Received> header;
    if ((step.arg & 4U) == 0) header = header_of(step.arg);
    core_.on_malformed(header, Error{ErrorCode::malformed, "text", "field"}, now_, out_);
    end_turn();
  }
  void pass_time(const Step& step) {
    now_ = now_ + Millis(Bytes(step.payload).word() * (1U + step.arg % 8U));
    end_turn();
  }
  void call(const Step& step) {
    Bytes in(step.payload);
    const std::uint32_t first = in.byte() % 8U;
    std::vector<PreparedTask> tasks;
    std::vector<TaskId> ids;
    for (std::uint32_t i = 0; i <= in.byte() % 4U; ++i) {
      tasks.push_back(task(first + i));
      ids.push_back(samples::task_id(first + i));
    }
    switch (step.arg % 8) {
      case 0: begin(command::SubmitTasks{std::move(tasks)}); break;
      case 1: {
        std::vector<Dependencies> dependencies(tasks.size());
        begin(command::UploadWorkflow{samples::workflow_id(), "name", OnFailure::run_dependents,
                                      std::move(tasks), std::move(dependencies)});
        break;
      }
      case 2: begin(command::AwaitTasks{std::move(ids)}); break;
      case 3: begin(command::AwaitWorkflow{samples::workflow_id()}); break;
      case 4:
        begin(command::ReadLog{ids[0], LogStream::out, in.word(), (step.arg & 8U) != 0});
        break;
      case 5: begin(command::Connect{}); break;
      default: begin(command::Ask{request(step.arg >> 3U, ids)}); break;
    }
    if ((step.arg & 128U) == 0) end_turn();
  }
  static Message request(std::uint8_t kind, const std::vector<TaskId>& ids) {
    switch (kind % 5) {
      case 0: return Query{{ids, {}, {}, {}}, "", 10, false};
      case 1: return Cancel{ids, {}, 0};
      case 2: return ToolsRequest{};
      case 3: return WorkersRequest{};
      default: return HealthRequest{};
    }
  }
  void give_up(const Step& step) {
    const CallId call(1 + Bytes(step.payload).byte() % calls_);
    end_turn();  // what was to be delivered before this still is
    switch (step.arg % 4) {
      case 0:
        core_.forget(call);
        ended_[call] = true;
        break;
      case 1: core_.log_consumed(call, step.arg); break;
      case 2: core_.abort(call, ClientError{}, out_); break;
      default:
        if (step.arg == 255) core_.close(ClientError{}, out_);
        break;
    }
    end_turn();
  }
  void sockets(const Step& step) {
    const Error error{ErrorCode::invalid, "text", "field"};
    switch (step.arg % 4) {
      case 0: core_.on_unsendable(now_, out_); break;
      case 1: core_.on_unconnectable(error, now_, out_); break;
      default: core_.on_unencodable(header_of(step.arg).correlation, error, now_, out_); break;
    }
    end_turn();
  }
  void turn_seldom(const Step&) { end_turn(); }

  void begin(CallCommand command) {
    core_.begin(CallStart{CallId(++calls_), std::move(command), Millis(60'000), false}, now_, out_);
  }

  void end_turn() {
    core_.end_turn(now_, out_);
    if (out_.welcome) session_ = out_.welcome->session;
    for (const auto& send : out_.sends) {
      fuzz::check_sendable(send.message);
      sent_.push_back(send.correlation);
    }
    for (const auto& delivered : out_.deliveries) {
      require(delivered.call != CallId{} && delivered.call.value() <= calls_,
              "a delivery to nobody");
      require(!ended_[delivered.call], "a delivery behind the end of its call");
      ended_[delivered.call] = delivered.last;
    }
    out_.clear();
    static_cast<void>(core_.next_deadline());
  }

  SessionCore core_;
  Effects out_;
  MonotonicTime now_{std::chrono::seconds(1000)};
  SessionId session_;
  std::uint64_t calls_ = 0;
  std::vector<Correlation> sent_;
  std::map<CallId, bool> ended_;
};

}  // namespace
}  // namespace taskpipe::client

TASKPIPE_FUZZ_SCRIPTS();

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  taskpipe::client::FuzzedClient client;
  for (const auto& step : taskpipe::fuzz::read_script(taskpipe::fuzz::text_of(data, size))) {
    client.run(step);
  }
  return 0;
}
