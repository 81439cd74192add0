// Effects: what the worker core asks the shell to do. Within one turn the shell carries them out in
// the order of the members below.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/payload.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "worker/core/worker_config.hpp"
#include "worker/exec/executor.hpp"

namespace taskpipe::worker {

// Keep a result on disk; answered by command::SpoolStored once it survives the end of this process.
// Without a SpoolDrop it survives a power loss soon after.
struct SpoolStore {
  ResultItem result;
};
// The broker has it: forget it.
struct SpoolDrop {
  AttemptKey attempt;
};

struct Send {
  SessionId session;  // 0 with HELLO
  Correlation correlation;
  bool resend = false;  // header flag RESEND
  Message message;
};

// Answered, in the end, by exactly one command::AttemptEnded.
struct Start {
  AttemptKey attempt;
  AttemptKind kind = AttemptKind::process;
  TaskSpecPtr spec;
  Payload params;
};

struct Stop {
  AttemptKey attempt;
  AttemptKind kind = AttemptKind::process;
  StopCause cause = StopCause::cancelled;
  Millis grace{0};
};

// A stretch of an attempt's output that the broker no longer holds; answered by command::LogRead.
struct ReadLog {
  SessionId session;
  Correlation correlation;
  Fetch fetch;
  bool held = false;  // waits or runs here: more may follow what the file holds now
};

enum class NoteLevel : std::uint8_t { debug, info, warning, error };
// Something an operator would want in the log.
struct Note {
  NoteLevel level = NoteLevel::info;
  std::string text;
};

enum class ExitCause : std::uint8_t {
  drained,   // asked to stop, and everything is finished
  stopped,   // asked to stop at once, or the time to drain was up
  replaced,  // another process took this identity
  refused,   // no protocol version in common, or a key that is not admitted
};
struct Exit {
  ExitCause cause = ExitCause::drained;
  std::string reason;
};

// Reused from turn to turn: `clear` keeps the capacity.
struct Effects {
  std::vector<SpoolStore> stores;
  std::vector<SpoolDrop> drops;
  std::vector<Stop> stops;
  std::vector<Start> starts;
  std::vector<ReadLog> log_reads;
  std::vector<Send> sends;
  std::vector<Note> notes;
  std::optional<Welcome> session_began;  // where files go, and what shows the session there
  bool reset_link = false;   // close the socket, if any, and open a fresh one; after the sends
  std::optional<Exit> exit;  // last of all: the loop ends

  void clear() {
    stores.clear();
    drops.clear();
    stops.clear();
    starts.clear();
    log_reads.clear();
    sends.clear();
    notes.clear();
    session_began.reset();
    reset_link = false;
    exit.reset();
  }
};

}  // namespace taskpipe::worker
