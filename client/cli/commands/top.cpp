// taskpipe top
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/top/screen.hpp"
#include "client/cli/top/top_feed.hpp"
#include "client/cli/top/top_state.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::cli {
namespace {

constexpr int kRedrawMs = 1000;  // while nothing happens: the clocks run

Millis steady(const Now& now) {
  return std::chrono::duration_cast<Millis>(now.monotonic.since_start);
}

class Top {
 public:
  Top(Client& client, std::string broker, top::ScreenSignals& signals, bool colours, bool unicode)
      : state_(std::move(broker)),
        signals_(signals),
        unicode_(unicode),
        screen_(colours),
        feed_(client) {}

  ExitCode run(const std::stop_token& stop) {
    process::Mailbox<bool> stopped;
    const std::stop_callback on_stop(stop, [&stopped] { stopped.post(true); });
    std::array<::pollfd, 4> fds = {{{STDIN_FILENO, POLLIN, 0},
                                    {feed_.updates().fd(), POLLIN, 0},
                                    {signals_.fd(), POLLIN, 0},
                                    {stopped.fd(), POLLIN, 0}}};
    for (;;) {
      const Now now = process::read_clock();
      screen_.draw(state_.lines(screen_.size(), unicode_, steady(now)));
      static_cast<void>(::poll(fds.data(), fds.size(), kRedrawMs));
      if (stop.stop_requested()) return ExitCode::interrupted;
      if ((fds[0].revents & (POLLHUP | POLLERR)) != 0) return ExitCode::output_closed;
      take_signals();
      take_updates();
      while (const auto key = screen_.key()) {
        if (!obey(state_.press(*key))) return ExitCode::success;
      }
    }
  }

 private:
  void take_signals() {
    for (auto kind = signals_.read(); kind != top::ScreenSignals::Kind::none;
         kind = signals_.read()) {
      switch (kind) {
        case top::ScreenSignals::Kind::suspend: screen_.suspend(); break;
        case top::ScreenSignals::Kind::resumed: screen_.resumed(); break;
        default: screen_.resized();
      }
    }
  }

  void take_updates() {
    std::vector<top::Update> updates;
    feed_.updates().take(updates);
    for (top::Update& update : updates) {
      std::visit([this](auto& heard) { take(heard); }, update);
    }
  }

  void take(EventBatch& batch) {
    const Millis now = steady(process::read_clock());
    for (const TaskEvent& event : batch.events.tasks) state_.apply(event, now);
    if (batch.gap && !batch.topic.starts_with("worker.")) feed_.list_again();
  }
  void take(HealthReply& health) { state_.set_health(std::move(health)); }
  void take(std::vector<WorkerRow>& workers) { state_.set_workers(std::move(workers)); }
  void take(top::Listed& listed) {
    const Now now = process::read_clock();
    state_.begin_listing();
    for (const TaskRow& row : listed.rows) state_.list(row, now.wall, steady(now));
    state_.end_listing();
  }
  void take(top::LogPiece& piece) {
    if (piece.log == log_) state_.add_log(piece.data);
  }
  void take(top::Said& said) { state_.say(std::move(said.text)); }

  // False: the user is done.
  bool obey(const top::Wish& wish) {
    switch (wish.kind) {
      case top::Wish::Kind::nothing: return true;
      case top::Wish::Kind::quit: return false;
      case top::Wish::Kind::cancel: feed_.cancel(wish.task); return true;
      case top::Wish::Kind::open_log: log_ = feed_.open_log(wish.task, wish.stream); return true;
      case top::Wish::Kind::close_log: feed_.close_log(); return true;
      case top::Wish::Kind::refresh: feed_.list_again(); return true;
    }
    return true;
  }

  top::TopState state_;
  top::ScreenSignals& signals_;
  bool unicode_;
  std::uint64_t log_ = 0;
  top::Screen screen_;
  top::TopFeed feed_;
};

}  // namespace

ExitCode run_top(Invocation& call) {
  if (const auto end = call.parse({0, 0})) return *end;
  if (!call.console().out_is_terminal || ::isatty(STDIN_FILENO) != 1 || call.json()) {
    return call.usage_error(
        "top needs a terminal; for programs there are 'taskpipe list --json' and 'taskpipe events "
        "--json'");
  }
  top::ScreenSignals signals;  // before the client has threads
  // Found out before the screen is taken, so that what is wrong stays readable.
  const auto info = call.client().connect(call.asking());
  if (!info) return call.fail(info.error());
  Top view(call.client(), info->broker, signals, call.console().colours, call.console().unicode);
  return view.run(call.asking().stop);
}

}  // namespace taskpipe::cli
