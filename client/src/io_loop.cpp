#include "client/src/io_loop.hpp"

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "client/src/io_seat.hpp"
#include "client/src/io_thread.hpp"
#include "client/src/service_thread.hpp"
#include "common/model/limits.hpp"
#include "common/process/clock.hpp"
#include "common/process/mailbox.hpp"

namespace taskpipe::client {

struct IoLoop::Shared {
  explicit Shared(IoConfig config) : io(std::move(config), mailbox, seat) {}

  bool post(IoRequest request) {
    {
      // Under the lock, so that nothing can be posted behind Stop and be lost without an answer.
      const std::lock_guard lock(mutex);
      if (stopped) return false;
      mailbox.post(std::move(request));
    }
    seat.fill();
    return true;
  }

  process::Mailbox<IoRequest> mailbox;
  IoSeat seat;
  IoThread io;
  std::mutex mutex;
  bool stopped = false;
  std::once_flag joined;
  std::thread thread;
};

IoLoop::IoLoop(IoConfig config) : shared_(std::make_unique<Shared>(std::move(config))) {
  shared_->thread = start_service_thread("tp-client-io", [&io = shared_->io] { io.run(); });
}

IoLoop::~IoLoop() { stop(); }

bool IoLoop::begin(CallStart start, std::shared_ptr<CallSink> sink) {
  return shared_->post(request::Begin{std::move(start), std::move(sink)});
}

bool IoLoop::abort(CallId call, ClientError why) {
  return shared_->post(request::Abort{call, std::move(why)});
}

bool IoLoop::forget(CallId call) { return shared_->post(request::Forget{call}); }

bool IoLoop::log_consumed(CallId call, std::size_t bytes) {
  return shared_->post(request::LogConsumed{call, bytes});
}

bool IoLoop::watch_report(CallId call, const WatchReport& report) {
  return shared_->post(request::ReportWatch{call, report});
}

bool IoLoop::subscribe(CallId call, std::vector<std::string> topics,
                       std::shared_ptr<CallSink> sink) {
  return shared_->post(request::Subscribe{call, std::move(topics), std::move(sink)});
}

void IoLoop::stop() {
  {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->stopped) shared_->mailbox.post(request::Stop{});
    shared_->stopped = true;
  }
  shared_->seat.fill();
  std::call_once(shared_->joined, [this] { shared_->thread.join(); });
}

IoLoop::Ride::Ride(IoLoop& loop, Inbox& inbox, bool willing) : loop_(loop), inbox_(inbox) {
  if (!willing) return;
  driving_ = loop_.shared_->seat.take_or_ask(inbox_);
  asked_ = !driving_;
}

IoLoop::Ride::~Ride() { leave(); }

void IoLoop::Ride::leave() {
  if (!driving_ && !asked_) return;
  driving_ = asked_ = false;
  loop_.shared_->seat.leave(inbox_, [this] { return loop_.shared_->io.idle(); });
}

bool IoLoop::Ride::take(std::vector<Inbox::Item>& out, const std::stop_token& stop,
                        const std::function<bool()>& keep_waiting) {
  std::optional<Millis> longest;
  std::function<bool()> ask;
  if (keep_waiting) {
    longest = Millis(limits::kAttentionMs);
    // It may take its time, or use this very client: whatever was asked for or had goes back first.
    ask = [this, &keep_waiting] {
      leave();
      return keep_waiting();
    };
  }
  for (;;) {
    if (asked_ && loop_.shared_->seat.granted(inbox_)) {
      asked_ = false;
      driving_ = true;
    }
    if (driving_ && !turn_until_something(stop, longest)) {
      leave();
      if (keep_waiting && !keep_waiting() && inbox_.empty()) return false;
    }
    if (!inbox_.take(out, stop, ask)) return false;
    if (!out.empty()) return true;
  }
}

bool IoLoop::Ride::turn_until_something(const std::stop_token& stop,
                                        std::optional<Millis> longest) {
  Shared& shared = *loop_.shared_;
  std::optional<std::stop_callback<std::function<void()>>> look;
  if (stop.stop_possible()) {
    look.emplace(stop, [&shared] { shared.mailbox.post(request::Look{}); });
  }
  const MonotonicTime begun = process::read_clock().monotonic;
  std::optional<Millis> left = longest;
  while (inbox_.empty()) {
    const bool late = left && *left <= Millis(0);
    if (late || stop.stop_requested() || !shared.io.suits_a_caller()) return false;
    shared.io.turn(left);
    if (!longest) continue;
    const auto passed = process::read_clock().monotonic - begun;
    left = *longest - std::chrono::floor<Millis>(passed);
  }
  return true;
}

}  // namespace taskpipe::client
