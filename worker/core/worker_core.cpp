#include "worker/core/worker_core.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::worker {

WorkerCore::WorkerCore(WorkerConfig config)
    : config_(std::move(config)),
      admission_(config_),
      link_(config_.uuid.high() ^ config_.uuid.low()),
      credit_(config_.window_tasks, config_.window_bytes),
      capacity_(config_.resources, config_.slots) {}

void WorkerCore::apply(const Command& command, const Now& now, Effects& out) {
  if (phase_ == Phase::over) return;
  std::visit([&](const auto& c) { on(c, Turn{now, out}); }, command);
}

std::optional<MonotonicTime> WorkerCore::next_deadline() const {
  if (phase_ == Phase::over) return std::nullopt;
  std::optional<MonotonicTime> earliest;
  const auto consider = [&](const std::optional<MonotonicTime>& at) {
    if (at && (!earliest || *at < *earliest)) earliest = at;
  };
  consider(link_.next_deadline());
  consider(drain_deadline_);
  consider(exit_deadline_);
  if (phase_ != Phase::stopping) consider(patience_end());
  if (!stores_.empty()) consider(stores_since_ + kNewsLinger);
  if (link_.established()) {
    consider(progress_.next_deadline());
    consider(results_.next_deadline());
    if (news_since_) consider(*news_since_ + kNewsLinger);
  }
  return earliest;
}

void WorkerCore::check_invariants() const {
  assert(attempts_.queued_count() <= config_.window_tasks);
  assert(attempts_.queued_count() <= ready_.entries());
  assert(fits(capacity_.free(), capacity_.total()));
  assert(capacity_.in_pool() <= attempts_.running_count());
  assert(attempts_.running_count() <= limits::kMaxHelloAttempts);
  assert(phase_ == Phase::working || attempts_.queued_count() == 0);
}

void WorkerCore::note(Turn turn, NoteLevel level, std::string text) {
  turn.out.notes.push_back({level, std::move(text)});
}

void WorkerCore::send(Turn turn, Message message, Correlation correlation) {
  assert(link_.established());
  turn.out.sends.push_back({link_.session(), correlation, false, std::move(message)});
}

void WorkerCore::on(const command::SpoolLoaded& command, Turn turn) {
  for (const ResultItem& result : command.results) {
    // HELLO has a bounded list; what lies beyond stays on disk for the next start.
    if (results_.size() == limits::kMaxHelloAttempts) break;
    results_.load(result);
  }
  if (results_.size() > 0) {
    note(turn, NoteLevel::info,
         "found " + std::to_string(results_.size()) + " results that the broker may not have yet");
  }
  link_.begin(turn.now.monotonic);
}

void WorkerCore::on(const command::MessageReceived& command, Turn turn) {
  // Before WELCOME only the handshake counts; afterwards, only what belongs to the session. What is
  // left of an earlier one says nothing about this.
  const bool handshake =
      std::holds_alternative<Who>(command.message) ||
      std::holds_alternative<Welcome>(command.message) ||
      (std::holds_alternative<ErrorReply>(command.message) && command.session == SessionId{});
  if (!handshake && (!link_.established() || command.session != link_.session())) return;
  if (link_.established()) link_.on_life(turn.now.monotonic);
  std::visit([&](const auto& message) { on_message(message, command.correlation, turn); },
             command.message);
}

void WorkerCore::on(const command::MalformedReceived& command, Turn turn) {
  note(turn, NoteLevel::warning,
       "the broker sent a message that cannot be read: " + command.error.text +
           (command.error.field.empty() ? "" : " (" + command.error.field + ")"));
  // A broker of another major version cannot even say so in words that are understood here.
  if (command.error.code == ErrorCode::version && !link_.established()) {
    exit_for_version(turn, command.error.text);
    return;
  }
  if (!link_.established() || ++malformed_ < limits::kMaxMalformedPerSession) return;
  note(turn, NoteLevel::error, "too many unreadable messages: connecting anew");
  link_.lose(turn.now.monotonic);
}

void WorkerCore::on(const command::LinkUnwritable&, Turn turn) {
  if (link_.established()) note(turn, NoteLevel::warning, "lost the connection to the broker");
  link_.lose(turn.now.monotonic);
}

void WorkerCore::on(const command::LogRead& command, Turn turn) {
  if (!link_.established() || command.session != link_.session()) return;
  if (const auto* error = std::get_if<Error>(&command.answer)) {
    send(turn, ErrorReply{*error}, command.correlation);
  } else {
    send(turn, std::get<Chunk>(command.answer), command.correlation);
  }
}

void WorkerCore::on(const command::TurnEnded&, Turn turn) {
  drive_link(turn);
  start_ready(turn);
  store(turn);
  flush(turn);
  if (phase_ != Phase::stopping) drive_solitude(turn);
  if (phase_ != Phase::working) drive_drain(turn);
}

bool WorkerCore::has_backlog() const {
  return phase_ == Phase::working && link_.established() &&
         attempts_.queued_count() > attempts_.running_count();
}

// Each message costs broker, journal and client about as much as a short task does.
bool WorkerCore::lingers(MonotonicTime now) {
  const std::size_t news = started_.size() + results_.ready();
  const auto is_due = [now](std::optional<MonotonicTime> deadline) {
    return deadline && *deadline <= now;
  };
  const bool urgent = some_stored_ || !logs_.empty() || is_due(progress_.next_deadline()) ||
                      is_due(results_.next_deadline()) || credit_.grant_due();
  if (news == 0 || news >= limits::kMaxBatchItems || urgent || !has_backlog()) return false;
  if (!news_since_) news_since_ = now;
  return now < *news_since_ + kNewsLinger;
}

// Order matters to the broker's reader only where it says so: STARTED before RESULT of the same
// attempt, LOG before RESULT, so that a follower has the end of the output before the task's.
void WorkerCore::flush(Turn turn) {
  if (!link_.established()) {
    started_.clear();
    logs_.drop();
    news_since_.reset();
    return;
  }
  if (lingers(turn.now.monotonic)) return;
  news_since_.reset();
  some_stored_ = false;
  Started started;
  for (const StartedNews& news : started_) {
    // A handler that has ended already is not worth a message of its own.
    if (news.kind == AttemptKind::handler && attempts_.find(news.item.attempt) == nullptr) continue;
    started.items.push_back(news.item);
    if (started.items.size() == limits::kMaxBatchItems) send(turn, std::exchange(started, {}));
  }
  started_.clear();
  if (!started.items.empty()) send(turn, std::move(started));

  progress_batches_.clear();
  progress_.flush(turn.now.monotonic, progress_batches_);
  for (Progress& batch : progress_batches_) send(turn, std::move(batch));

  log_batches_.clear();
  logs_.flush(log_batches_);
  for (Log& batch : log_batches_) send(turn, std::move(batch));
  if (logs_.wants_ping()) ping(turn);

  result_batches_.clear();
  results_.flush(turn.now.monotonic, result_batches_);
  for (ResultBatch& batch : result_batches_) {
    turn.out.sends.push_back(
        {link_.session(), Correlation{}, batch.resend, std::move(batch.result)});
  }
  if (phase_ != Phase::working) return;
  if (const auto grant = credit_.take_grant()) send(turn, *grant);
}

}  // namespace taskpipe::worker
