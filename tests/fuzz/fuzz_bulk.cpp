// What peers may send to the bulk port, among silence, losses, ends of sessions and the store's
// news. Whatever comes: what is sent encodes, no upload is granted more than a window beyond what
// is there, no download more than its peer has asked for, and every peer that is gone leaves
// nothing behind.
#include <array>
#include <map>

#include "broker/bulk/transfers.hpp"
#include "common/model/limits.hpp"
#include "tests/fuzz/frames.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/fuzz/script_mutator.hpp"
#include "tests/support/memory_blobs.hpp"

namespace taskpipe::broker {
namespace {

using fuzz::require;
using fuzz::Step;

constexpr std::size_t kPeers = 4;

class FuzzedPort {
 public:
  FuzzedPort() {
    for (std::uint64_t i = 0; i < kPeers; ++i) {
      transfers_.session_opened(SessionId(i), BulkToken(7, i));
      transfers_.on_message(i, SessionId(i), Correlation(), BulkHello{BulkToken(7, i), 0}, now_,
                            sends_);
    }
    store_.blobs[std::string(limits::kSha256HexBytes, 'a')] = std::string(3'000'000, 'a');
    look();
  }

  void run(const Step& step) {
    static constexpr std::array kActs = {
        &FuzzedPort::message, &FuzzedPort::message,   &FuzzedPort::message,
        &FuzzedPort::message, &FuzzedPort::pass_time, &FuzzedPort::sessions,
        &FuzzedPort::pump,    &FuzzedPort::news,      &FuzzedPort::disk};
    (this->*kActs[step.op % kActs.size()])(step);
    look();
  }

  void end() {
    for (std::uint64_t i = 0; i < kPeers; ++i) transfers_.session_closed(SessionId(i), sends_);
    require(transfers_.peers() == 0 && transfers_.downloads() == 0, "something is left behind");
    require(!transfers_.wants_room(), "room is wanted for nobody");
  }

 private:
  // arg: which peer (2 bits), another session, correlation (3 bits).
  void message(const Step& step) {
    const std::uint64_t routing = step.arg & 3U;
    const SessionId session((step.arg & 4U) == 0 ? routing : routing + 1);
    auto decoded = fuzz::decode_spelled(step.payload);
    const Correlation correlation(step.arg >> 5U);
    if (!decoded) {
      return transfers_.on_malformed(routing, correlation, decoded.error(), sends_);
    }
    if (auto* data = std::get_if<PutData>(&decoded->message); data != nullptr && step.op == 1) {
      data->offset = granted_[{routing, correlation}].first;  // the next one
    }
    transfers_.on_message(routing, session, correlation, decoded->message, now_, sends_);
  }
  void pass_time(const Step& step) {
    now_ = now_ + Millis(1000 * step.arg);
    transfers_.tick(now_, sends_);
  }
  void sessions(const Step& step) {
    const std::uint64_t i = step.arg & 3U;
    if ((step.arg & 4U) != 0) return transfers_.on_unreachable(i, sends_);
    transfers_.session_closed(SessionId(i), sends_);
    transfers_.session_opened(SessionId(i), BulkToken(7, i));
    transfers_.on_message(i, SessionId(i), Correlation(), BulkHello{BulkToken(7, i), step.arg},
                          now_, sends_);
  }
  void pump(const Step& step) { transfers_.pump(std::uint64_t{step.arg} << 18U, sends_); }
  void news(const Step& step) {
    if (store_.partial.empty()) return;
    auto it = store_.partial.begin();
    std::advance(it, step.arg % store_.partial.size());
    const std::string sha256 = it->first;
    if ((step.arg & 1U) != 0) {
      store_.unverified.erase(sha256);
      transfers_.on_verified(sha256, sends_);
    } else if (store_.completed.contains(sha256)) {
      store_.store(sha256);
      transfers_.on_stored(sha256, {}, sends_);
    }
  }
  void disk(const Step& step) {
    store_.full = (step.arg & 1U) != 0;
    store_.broken = (step.arg & 2U) != 0;
    if ((step.arg & 4U) != 0) transfers_.on_room_made(sends_);
  }

  void look() {
    for (const BulkSend& send : sends_) {
      fuzz::check_sendable(send.message);
      if (const auto* state = std::get_if<PutState>(&send.message); state && !state->have) {
        require(state->credit - state->offset <= limits::kBulkWindowBytes, "too much is granted");
        granted_[send.to] = {state->offset, state->credit};
      }
      if (const auto* data = std::get_if<GetData>(&send.message)) {
        require(data->offset + data->data.size() <= data->size_bytes, "behind the end");
      }
    }
    sends_.clear();
  }

  MemoryBlobs store_;
  Transfers transfers_{store_};
  BulkSends sends_;
  MonotonicTime now_;
  std::map<TransferRef, std::pair<std::uint64_t, std::uint64_t>> granted_;
};

}  // namespace
}  // namespace taskpipe::broker

TASKPIPE_FUZZ_SCRIPTS();

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  taskpipe::broker::FuzzedPort port;
  for (const auto& step : taskpipe::fuzz::read_script(taskpipe::fuzz::text_of(data, size))) {
    port.run(step);
  }
  port.end();
  return 0;
}
