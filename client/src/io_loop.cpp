#include "client/src/io_loop.hpp"

#include <mutex>
#include <thread>
#include <utility>

#include "client/src/io_thread.hpp"
#include "client/src/service_thread.hpp"
#include "common/process/mailbox.hpp"

namespace taskpipe::client {

struct IoLoop::Shared {
  explicit Shared(IoConfig config) : io(std::move(config), mailbox) {}

  bool post(IoRequest request) {
    // Under the lock, so that nothing can be posted behind Stop and be lost without an answer.
    const std::lock_guard lock(mutex);
    if (stopped) return false;
    mailbox.post(std::move(request));
    return true;
  }

  process::Mailbox<IoRequest> mailbox;
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
  std::call_once(shared_->joined, [this] { shared_->thread.join(); });
}

}  // namespace taskpipe::client
