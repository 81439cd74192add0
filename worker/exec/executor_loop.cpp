#include "worker/exec/executor_loop.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include "common/model/limits.hpp"
#include "worker/exec/container_outcome.hpp"

namespace taskpipe::worker {
namespace {

constexpr std::size_t kReadBytes = 64U << 10U;  // per stream and turn
constexpr int kEventsPerTurn = 256;

MonotonicTime read_clock() {
  return MonotonicTime{std::chrono::steady_clock::now().time_since_epoch()};
}

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};
tl::expected<Pipe, int> open_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return tl::unexpected(errno);
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  // Only our end: the tool expects a pipe that blocks.
  if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return tl::unexpected(errno);
  return pipe;
}

// Without a log and without a wish for files there is nothing to look for in its folder, and no
// reason to wake another thread.
bool leaves_nothing(const FinishJob& job) {
  return job.artifact_globs.empty() && job.report.stdout_bytes == 0 && job.report.stderr_bytes == 0;
}

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

}  // namespace

ExecutorLoop::ExecutorLoop(ProcessExecutorOptions options, Executor::Sink sink)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      scratch_(kReadBytes, '\0'),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      now_(read_clock()) {
  if (!epoll_.valid()) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  watch(mailbox_.fd(), tag_of(Source::mailbox), EPOLLIN);
  if (!start_spawner()) throw std::runtime_error(broken_reason_);
  finisher_ = std::make_unique<Finisher>(
      [this](RunNumber run, Outcome outcome) {
        post(executor_command::Finished{run, std::move(outcome)});
      },
      options_.keeper);
}

void ExecutorLoop::run() {
  while (!shutting_down_) turn();
  shut_down();
}

void ExecutorLoop::turn() {
  std::array<epoll_event, kEventsPerTurn> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, poll_timeout_ms());
  now_ = read_clock();
  for (int i = 0; i < count; ++i) on_ready(events[static_cast<std::size_t>(i)].data.u64);
  if (spawner_gone_by_ && now_ >= *spawner_gone_by_) replace_spawner();
  run_timers();
  flush();
}

int ExecutorLoop::poll_timeout_ms() const {
  std::optional<MonotonicTime> next = spawner_gone_by_;
  if (!timers_.empty() && (!next || timers_.begin()->first < *next)) next = timers_.begin()->first;
  if (!next) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - read_clock()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void ExecutorLoop::on_ready(std::uint64_t tag) {
  const RunNumber run = tag >> kSourceBits;
  switch (static_cast<Source>(tag & ((1U << kSourceBits) - 1))) {
    case Source::mailbox: return take_commands();
    case Source::link: return receive();
    case Source::lifeline:
      // The spawner and all its guards are gone.
      while (link_ != nullptr && !spawner_gone_by_) receive();  // what they still reported
      if (link_ != nullptr) replace_spawner();
      return;
    case Source::out:
    case Source::err: break;
  }
  RunningAttempt* attempt = find(run);
  if (attempt == nullptr || attempt->finishing()) return;
  attempt->read(tag == tag_of(Source::out, run) ? LogStream::out : LogStream::err, now_, scratch_);
  attempt->emit_due(now_, sink_);
  reschedule(run, *attempt);
}

void ExecutorLoop::take_commands() {
  mailbox_.take(commands_);
  for (ExecutorCommand& command : commands_) {
    std::visit([this](auto& c) { on_command(c); }, command);
  }
  commands_.clear();
}

void ExecutorLoop::on_command(executor_command::Start& start) {
  if (shutting_down_) {
    Outcome outcome;
    outcome.failure = FailureClass::worker_lost;
    outcome.reason = "its worker stopped";
    return end_at_once(start.attempt, std::move(outcome));
  }
  if (runs_.contains(start.attempt)) return;
  if (link_ == nullptr && !spawner_gone_by_ && !start_spawner()) {
    return end_at_once(start.attempt, spawn_error(broken_reason_));
  }
  if (spawner_gone_by_) {
    waiting_.push_back(std::move(start));
  } else {
    begin(std::move(start));
  }
}

void ExecutorLoop::on_command(executor_command::Stop& stop) {
  const EndCause cause =
      stop.cause == StopCause::superseded ? EndCause::superseded : EndCause::cancelled;
  const auto waiting = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& start) {
    return start.attempt == stop.attempt;
  });
  if (waiting != waiting_.end()) {
    waiting_.erase(waiting);
    EndFacts facts;
    facts.cause = cause;
    return end_at_once(stop.attempt, outcome_of(spawn_message::SpawnFailed{}, facts));
  }
  const auto run = runs_.find(stop.attempt);
  if (run == runs_.end()) return;
  RunningAttempt& attempt = *find(run->second);
  if (attempt.finishing()) {
    // It has ended, and ends as it did; but nobody waits for what it left.
    if (options_.keeper != nullptr) options_.keeper->give_up(run->second);
    return;
  }
  attempt.ask_to_end(cause, now_);
  const auto grace = std::clamp<std::int64_t>(stop.grace.count(), 0, limits::kMaxGraceMs);
  if (link_ != nullptr) {
    link_->stop({run->second, SIGTERM, static_cast<std::uint32_t>(grace)});
  }
  reschedule(run->second, attempt);
}

void ExecutorLoop::on_command(executor_command::Finished& finished) {
  const auto found = attempts_.find(finished.run);
  const AttemptKey key = found->second->key();
  // The folder is free to be swept once its end is known.
  runs_.erase(key);
  attempts_.erase(found);
  sink_(exec_event::Ended{key, std::move(finished.outcome)});
}

void ExecutorLoop::on_command(executor_command::Shutdown&) { shutting_down_ = true; }

tl::expected<spawn_message::Spawn, std::string> ExecutorLoop::describe_process(
    const RunPlan& plan, RunNumber run) const {
  if (plan.argv.empty() || plan.argv.front().empty()) {
    return tl::unexpected(std::string("the tool's command line is empty: give argv a program"));
  }
  spawn_message::Spawn spawn;
  spawn.run = run;
  spawn.argv = plan.argv;
  if (plan.container) {
    spawn.inspection = plan.container->inspection;
    spawn.removal = plan.container->removal;
  }
  // The client of a container needs no limit; where its program is a descendant, it is the guard's.
  if (spawn.removal.empty()) spawn.memory_limit_bytes = plan.memory_limit_bytes;
  if (std::any_of(plan.argv.begin(), plan.argv.end(), has_nul)) {
    return tl::unexpected(std::string("an argument holds a NUL byte: pass such data in a file"));
  }
  for (const auto& [name, value] : plan.environment) {
    if (name.empty() || name.find('=') != std::string::npos || has_nul(name) || has_nul(value)) {
      return tl::unexpected("environment variable '" + name +
                            "' has an empty name, a '=' in its name, or a NUL byte");
    }
    spawn.environment.push_back(name + "=" + value);
  }
  if (spawn.argv.size() + spawn.environment.size() > kMaxSpawnStrings ||
      encoded_bytes(spawn) + limits::kMaxPathBytes > kMaxSpawnFrameBytes) {
    return tl::unexpected(
        std::string("arguments and environment are too large: pass large params "
                    "in a file"));
  }
  return spawn;
}

void ExecutorLoop::begin(executor_command::Start start) {
  const RunNumber run = next_run_++;
  auto spawn = describe_process(start.plan, run);
  if (!spawn) return end_at_once(start.attempt, spawn_error(spawn.error()));
  auto directory = AttemptDirectory::create(
      options_.attempts_root, start.attempt, start.plan.files, start.plan.inputs,
      options_.spawner.run_as ? &*options_.spawner.run_as : nullptr);
  if (!directory) return end_at_once(start.attempt, spawn_error(directory.error().text));
  // A client with the worker's rights stays out of a folder in which another may put links:
  // podman's monitor writes where it is started.
  spawn->directory = spawn->removal.empty() ? directory->path() : options_.attempts_root;
  auto out = open_pipe();
  auto err = open_pipe();
  if (!out || !err) {
    const int error = out ? err.error() : out.error();
    return end_at_once(
        start.attempt,
        spawn_error("cannot open its output pipes: " + std::generic_category().message(error) +
                    ": raise the worker's limit of open files (RLIMIT_NOFILE)"));
  }
  link_->spawn(*spawn, std::move(out->write_end), std::move(err->write_end));
  watch(out->read_end.get(), tag_of(Source::out, run), EPOLLIN);
  watch(err->read_end.get(), tag_of(Source::err, run), EPOLLIN);
  runs_.emplace(start.attempt, run);
  attempts_.emplace(
      run, std::make_unique<RunningAttempt>(run, start.attempt, std::move(start.plan),
                                            std::move(*directory), std::move(out->read_end),
                                            std::move(err->read_end), options_.max_log_file_bytes));
}

void ExecutorLoop::receive() {
  if (link_ == nullptr) return;
  messages_.clear();
  const bool alive = link_->receive(messages_);
  for (const SpawnMessage& message : messages_) {
    if (const auto* spawned = std::get_if<spawn_message::Spawned>(&message)) {
      on_message(*spawned);
    } else if (const auto* failure = std::get_if<spawn_message::SpawnFailed>(&message)) {
      on_message(*failure);
    } else if (const auto* end = std::get_if<spawn_message::Exited>(&message)) {
      on_message(*end);
    }
  }
  if (!alive) on_spawner_lost();
}

void ExecutorLoop::on_message(const spawn_message::Spawned& spawned) {
  RunningAttempt* attempt = find(spawned.run);
  if (attempt == nullptr || attempt->finishing()) return;
  attempt->on_spawned(MonotonicTime{now_.since_start - Micros(spawned.age_us)});
  sink_(exec_event::Started{attempt->key(), spawned.pid});
  attempt->emit_due(now_, sink_);
  reschedule(spawned.run, *attempt);
}

void ExecutorLoop::on_message(const spawn_message::SpawnFailed& failure) {
  if (const RunningAttempt* attempt = find(failure.run)) {
    finish(failure.run, outcome_of(failure, facts_of(*attempt)));
  }
}

void ExecutorLoop::on_message(const spawn_message::Exited& end) {
  if (const RunningAttempt* attempt = find(end.run)) {
    finish(end.run, outcome_of(end, facts_of(*attempt)), &end);
  }
}

void ExecutorLoop::finish(RunNumber run, Outcome outcome, const spawn_message::Exited* end) {
  RunningAttempt& attempt = *find(run);
  if (attempt.finishing()) return;
  FinishJob job = attempt.finish(now_, sink_, options_.node, scratch_);
  judge(attempt, end, job.report.stderr_tail, outcome);
  job.outcome = std::move(outcome);
  job.keep = attempt.cause() != EndCause::superseded && attempt.cause() != EndCause::shutdown;
  reschedule(run, attempt);
  if (leaves_nothing(job)) {
    job.outcome.report = encode_fitting(job.report);
    return post(executor_command::Finished{run, std::move(job.outcome)});
  }
  finisher_->submit(std::move(job));
}

// What a container adds to the outcome of its client.
void ExecutorLoop::judge(const RunningAttempt& attempt, const spawn_message::Exited* end,
                         std::string_view stderr_tail, Outcome& outcome) {
  const auto& container = attempt.plan().container;
  if (!container) return;
  judge_container(outcome, container->runtime,
                  end != nullptr ? end->container_started : ContainerStart::unknown, stderr_tail);
  if (end == nullptr || !end->container_left) return;
  tell_container_left(outcome, container->name);
  if (options_.logger != nullptr) {
    options_.logger->warning("a container could not be removed: the next start of the worker will",
                             {{"container", container->name},
                              {"runtime", container->runtime},
                              {"task", attempt.key().task.to_string()}});
  }
}

void ExecutorLoop::end_at_once(const AttemptKey& attempt, Outcome outcome) {
  sink_(exec_event::Ended{attempt, std::move(outcome)});
}

void ExecutorLoop::on_limit(RunNumber run, RunningAttempt& attempt, EndCause which) {
  const auto given = attempt.plan().grace.count();
  const auto grace = given > 0 ? std::min<std::int64_t>(given, limits::kMaxGraceMs)
                               : std::int64_t{limits::kDefaultGraceMs};
  attempt.ask_to_end(which, now_);
  if (link_ != nullptr) link_->stop({run, SIGTERM, static_cast<std::uint32_t>(grace)});
}

void ExecutorLoop::run_timers() {
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    const RunNumber run = timers_.begin()->second;
    RunningAttempt& attempt = *find(run);
    if (attempt.over_time_limit(now_)) {
      on_limit(run, attempt, EndCause::time_limit);
    } else if (attempt.over_silence_limit(now_, scratch_)) {
      on_limit(run, attempt, EndCause::silence);
    }
    attempt.emit_due(now_, sink_);
    reschedule(run, attempt);
  }
}

void ExecutorLoop::reschedule(RunNumber run, const RunningAttempt& attempt) {
  const auto old = timer_of_.find(run);
  const auto next = attempt.next_due();
  if (old != timer_of_.end()) {
    if (next && *next == old->second) return;
    timers_.erase({old->second, run});
    timer_of_.erase(old);
  }
  if (!next) return;
  timers_.emplace(*next, run);
  timer_of_.emplace(run, *next);
}

RunningAttempt* ExecutorLoop::find(RunNumber run) {
  const auto found = attempts_.find(run);
  return found == attempts_.end() ? nullptr : found->second.get();
}

EndFacts ExecutorLoop::facts_of(const RunningAttempt& attempt) const {
  EndFacts facts{attempt.cause(), attempt.plan().time_limit, attempt.plan().silence_limit,
                 attempt.plan().memory_limit_bytes, memory_control_};
  const auto& container = attempt.plan().container;
  if (container && !container->removal.empty()) {
    facts.memory_control = facts.container = container->runtime;
  }
  facts.asked_after = attempt.asked_after();
  return facts;
}

void ExecutorLoop::watch(int fd, std::uint64_t tag, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return;
  if (errno != EEXIST || ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

}  // namespace taskpipe::worker
