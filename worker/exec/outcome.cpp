#include "worker/exec/outcome.hpp"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "common/protocol/utf8.hpp"
#include "worker/exec/executor.hpp"

namespace taskpipe::worker {
namespace {

constexpr int kKilledExitCode = 128 + SIGKILL;  // as runtimes report what was killed

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

std::string show_seconds(Millis duration) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.10g s", static_cast<double>(duration.count()) / 1000);
  return text.data();
}

// Sets state, class and reason when the end was our doing.
bool set_asked(const EndFacts& facts, Outcome& out) {
  switch (facts.cause) {
    case EndCause::none: return false;
    case EndCause::time_limit:
      out.state = TaskState::timeout;
      out.failure = FailureClass::timeout;
      out.reason = "exceeded its time limit of " + show_seconds(facts.time_limit);
      return true;
    case EndCause::silence:
      out.state = TaskState::timeout;
      out.failure = FailureClass::timeout;
      out.reason = no_progress_reason(facts.silence_limit);
      return true;
    case EndCause::cancelled:
      out.state = TaskState::cancelled;
      out.failure = FailureClass::cancelled;
      out.reason = "cancelled on request";
      return true;
    case EndCause::superseded:
      out.state = TaskState::cancelled;
      out.failure = FailureClass::cancelled;
      out.reason = "superseded: the task was given to another attempt";
      return true;
    case EndCause::shutdown:
      out.state = TaskState::error;
      out.failure = FailureClass::worker_lost;
      out.reason = "its worker stopped";
      return true;
  }
  return false;
}

std::string describe_leftovers(const spawn_message::Exited& end) {
  if (end.leftovers_killed == 0) return "";
  return "; " + std::to_string(end.leftovers_killed) + " process" +
         (end.leftovers_killed == 1 ? "" : "es") + " it left behind had to be ended";
}

std::string remedy(const spawn_message::SpawnFailed& failure) {
  switch (failure.stage) {
    case SpawnStage::exec:
      switch (failure.error) {
        case ENOENT: return ": is it installed and on PATH of the worker?";
        case EACCES: return ": is the file executable for the worker's user?";
        case ENOEXEC: return ": a script needs a first line such as #!/bin/sh";
        case E2BIG: return ": pass large params in a file";
        default: return "";
      }
    case SpawnStage::interpreter:
      return ": the file exists, but not the interpreter that its first line (or ELF header) names";
    case SpawnStage::guard:
      return failure.error == EAGAIN || failure.error == ENOMEM
                 ? ": too many processes or too little memory on the worker's host"
                 : "";
    case SpawnStage::cgroup: return ": may the worker write to its cgroup?";
    case SpawnStage::directory:
      return failure.error == EACCES
                 ? ": may the user of --run-as enter every folder above it? Choose a --work-dir "
                   "that it can reach"
                 : "";
    case SpawnStage::user: return ": the worker needs CAP_SETUID and CAP_SETGID for --run-as";
    case SpawnStage::output:
      return failure.error == EMFILE ? ": raise the worker's limit of open files (RLIMIT_NOFILE)"
                                     : "";
    default: return "";
  }
}

std::string describe(const spawn_message::SpawnFailed& failure) {
  std::string text;
  switch (failure.stage) {
    case SpawnStage::exec:
    case SpawnStage::interpreter: text = "cannot execute '" + failure.detail + "'"; break;
    case SpawnStage::directory: text = "cannot enter the folder '" + failure.detail + "'"; break;
    case SpawnStage::cgroup: text = "cannot limit its memory (" + failure.detail + ")"; break;
    case SpawnStage::limits: text = "cannot set its resource limits"; break;
    case SpawnStage::output: text = "cannot connect its output"; break;
    case SpawnStage::user: text = "cannot become the user of --run-as"; break;
    default: text = "cannot start a process (" + std::string(name_of(failure.stage)) + ")"; break;
  }
  return text + ": " + std::generic_category().message(failure.error) + remedy(failure);
}

std::string fit_reason(const std::string& text) {
  return protocol::to_utf8(text, limits::kMaxTextBytes);
}

void set_memory_reason(const EndFacts& facts, Outcome& out) {
  out.state = TaskState::failure;
  out.failure = FailureClass::oom;
  out.reason = "killed for exceeding its memory limit of " + show_bytes(facts.memory_limit_bytes) +
               " (" + std::string(facts.memory_control) + ")";
}

// The limit fell into what follows the main process' own end.
bool ended_before_limit(const spawn_message::Exited& end, const EndFacts& facts) {
  if (end.guard_lost) return false;
  if (facts.cause != EndCause::time_limit && facts.cause != EndCause::silence) return false;
  return std::chrono::microseconds(end.wall_us) < facts.asked_after;
}

}  // namespace

Outcome outcome_of(const spawn_message::Exited& end, const EndFacts& facts) {
  Outcome out;
  out.usage = {end.wall_us, end.user_us, end.system_us, end.max_rss_bytes};
  // Of docker's client, which only waits. Podman's containers are descendants.
  if (facts.container == "docker") out.usage = {end.wall_us, 0, 0, 0};
  const bool signalled = !end.guard_lost && WIFSIGNALED(end.wait_status);
  if (signalled) out.signal = WTERMSIG(end.wait_status);
  if (!end.guard_lost && WIFEXITED(end.wait_status)) out.exit_code = WEXITSTATUS(end.wait_status);
  if (!ended_before_limit(end, facts) && set_asked(facts, out)) return out;
  if (end.guard_lost) {
    out.state = TaskState::failure;
    out.failure = FailureClass::signal;
    out.signal = SIGKILL;
    out.reason = "the process that watched over it was killed, and so was all it had started";
    return out;
  }
  if (!signalled && out.exit_code == 0) {
    // Also when the kernel killed one of its helpers for memory: the tool coped.
    out.state = TaskState::success;
    return out;
  }
  if (end.out_of_memory) {
    set_memory_reason(facts, out);
    return out;
  }
  out.state = TaskState::failure;
  out.failure = signalled ? FailureClass::signal : FailureClass::exit;
  out.reason = signalled ? "ended by " + signal_name(out.signal)
                         : "exited with code " + std::to_string(out.exit_code);
  if (!facts.container.empty() && out.exit_code == kKilledExitCode &&
      facts.memory_limit_bytes > 0) {
    out.reason += "; it was killed, perhaps for its memory limit of " +
                  show_bytes(facts.memory_limit_bytes) + ", which " + std::string(facts.container) +
                  " does not tell";
  }
  if (facts.memory_limit_bytes > 0 && facts.memory_control == "RLIMIT_AS") {
    out.reason += "; its address space was limited to " + show_bytes(facts.memory_limit_bytes) +
                  " (RLIMIT_AS), beyond which allocations fail";
  }
  out.reason = fit_reason(out.reason + describe_leftovers(end));
  return out;
}

Outcome outcome_of(const spawn_message::SpawnFailed& failure, const EndFacts& facts) {
  Outcome out;
  if (!set_asked(facts, out)) out = spawn_error(describe(failure));
  return out;
}

Outcome spawn_error(const std::string& reason) {
  Outcome out;
  out.state = TaskState::error;
  out.failure = FailureClass::spawn;
  out.reason = fit_reason(reason);
  return out;
}

std::string show_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g %s", value, kUnits[unit]);
  return text.data();
}

}  // namespace taskpipe::worker
