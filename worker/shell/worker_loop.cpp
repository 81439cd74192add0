#include "worker/shell/worker_loop.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/model/limits.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::worker {
namespace {

// Messages per turn. One TASKS holds up to 256 tasks, so this bounds a turn at some milliseconds.
constexpr int kMessagesPerTurn = 64;
// What was sent last (DRAINED, results) gets this long to leave.
constexpr Millis kFarewell{500};

}  // namespace

WorkerLoop::WorkerLoop(WorkerConfig config, const std::string& broker_endpoint, WorkerParts parts,
                       std::optional<net::CurveClient> curve)
    : core_(std::move(config)),
      broker_endpoint_(broker_endpoint),
      curve_(curve),
      link_(parts.context, broker_endpoint, std::move(curve)),
      parts_(parts) {
  make_poller();
}

Exit WorkerLoop::run(std::vector<ResultItem> spooled) {
  core_.apply(command::SpoolLoaded{std::move(spooled)}, process::read_clock(), effects_);
  for (;;) {
    const Now now = process::read_clock();
    take_signals(now);
    take_commands(now);
    take_messages(now);
    take_handler_news(now);
    core_.apply(command::TurnEnded{}, now, effects_);
    carry_out(now);
    if (effects_.exit) break;
    effects_.clear();
    wait();
  }
  link_.close(kFarewell);
  return std::move(*effects_.exit);
}

void WorkerLoop::make_poller() {
  poller_.emplace();
  places_ = {};
  (void)poller_->add_fd(parts_.commands.fd());
  if (parts_.signals != nullptr) places_.signals = poller_->add_fd(parts_.signals->fd());
  if (link_.socket() == nullptr) return;
  places_.broker = poller_->add(*link_.socket());
  places_.handshakes = poller_->add(*link_.handshakes());
}

bool WorkerLoop::has_news(std::optional<std::size_t> place) const {
  return place && poller_->readable(*place);
}

void WorkerLoop::wait() {
  const MonotonicTime now = process::read_clock().monotonic;
  std::optional<MonotonicTime> deadline = core_.next_deadline();
  if (parts_.handlers != nullptr && parts_.handlers->busy()) {
    const auto poll_at = handlers_polled_.value_or(now) + Millis{limits::kHandlerAnnounceMs};
    deadline = deadline ? std::min(*deadline, poll_at) : poll_at;
  }
  std::optional<Millis> timeout;
  if (deadline) {
    timeout = std::max(Millis{0}, std::chrono::ceil<Millis>(*deadline - now));
  }
  poller_->wait(timeout);
}

void WorkerLoop::take_signals(const Now& now) {
  if (!has_news(places_.signals)) return;
  while (const auto signal = parts_.signals->read()) {
    // A worker that lost its terminal goes on: that is what it is for.
    if (*signal == process::Signal::hangup) continue;
    core_.apply(command::StopRequested{}, now, effects_);
  }
}

void WorkerLoop::take_commands(const Now& now) {
  parts_.commands.take(batches_);
  for (const auto& batch : batches_) {
    for (const Command& command : batch) core_.apply(command, now, effects_);
  }
}

void WorkerLoop::take_messages(const Now& now) {
  if (has_news(places_.handshakes)) {
    if (const auto refusal = link_.refusal()) {
      core_.apply(command::LinkRefused{refusal->text}, now, effects_);
      return;
    }
  }
  if (!has_news(places_.broker)) return;
  for (int taken = 0; taken < kMessagesPerTurn; ++taken) {
    const auto command = link_.receive();
    if (!command) return;
    core_.apply(*command, now, effects_);
  }
}

void WorkerLoop::take_handler_news(const Now& now) {
  if (parts_.handlers == nullptr || !parts_.handlers->busy()) return;
  const Millis interval{limits::kHandlerAnnounceMs};
  if (!handlers_polled_) handlers_polled_ = now.monotonic;
  if (now.monotonic < *handlers_polled_ + interval) return;
  handlers_polled_ = now.monotonic;
  news_.clear();
  parts_.handlers->poll_running(interval, news_);
  for (ExecEvent& event : news_) core_.apply(to_command(std::move(event)), now, effects_);
}

void WorkerLoop::carry_out(const Now& now) {
  if (effects_.session_began && parts_.bulk_access != nullptr) {
    const Welcome& welcome = *effects_.session_began;
    parts_.bulk_access->set(bulk::Access{bulk::reachable(welcome.bulk_endpoint, broker_endpoint_),
                                         welcome.session, welcome.bulk_token, curve_});
  }
  for (SpoolStore& store : effects_.stores) parts_.spool.store(std::move(store));
  for (const SpoolDrop& drop : effects_.drops) parts_.spool.drop(drop);
  for (const Stop& stop : effects_.stops) {
    if (stop.kind == AttemptKind::handler) {
      parts_.handlers->stop(stop.attempt, stop.cause);
    } else {
      parts_.processes->stop(stop);
    }
  }
  for (Start& start : effects_.starts) {
    if (start.kind == AttemptKind::handler) {
      jobs_.push_back({start.attempt, std::move(start.spec), std::move(start.params)});
    } else {
      parts_.processes->start(std::move(start));
    }
  }
  if (!jobs_.empty()) parts_.handlers->start(jobs_);
  for (ReadLog& request : effects_.log_reads) parts_.logs.read(std::move(request));
  send_all(now);
  if (effects_.reset_link) open_link();
  write_notes();
}

void WorkerLoop::send_all(const Now& now) {
  bool unwritable = false;
  for (const Send& send : effects_.sends) {
    const auto sent = link_.send(send);
    if (!sent) {
      parts_.logger.error("a message cannot be sent; please report this as a defect",
                          {{"why", sent.error().text}, {"field", sent.error().field}});
    } else if (*sent == BrokerLink::Sent::unwritable) {
      unwritable = true;
      break;  // the session is over; what follows belonged to it
    }
  }
  if (unwritable) core_.apply(command::LinkUnwritable{}, now, effects_);
}

void WorkerLoop::open_link() {
  if (const auto opened = link_.open(); !opened) {
    parts_.logger.warning("cannot connect to the broker; trying again",
                          {{"why", opened.error().text}});
  }
  make_poller();
}

void WorkerLoop::write_notes() {
  for (const Note& note : effects_.notes) {
    switch (note.level) {
      case NoteLevel::debug: parts_.logger.debug(note.text); break;
      case NoteLevel::info: parts_.logger.info(note.text); break;
      case NoteLevel::warning: parts_.logger.warning(note.text); break;
      case NoteLevel::error: parts_.logger.error(note.text); break;
    }
  }
}

}  // namespace taskpipe::worker
