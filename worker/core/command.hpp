// Commands: everything that can happen to the worker core. The shell makes them from decoded
// messages, the events of the executors, the spool and signals; a simulator makes them at will.
#pragma once

#include <variant>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "worker/exec/executor.hpp"

namespace taskpipe::worker {
namespace command {

// The first command: results that an earlier process left in the spool. The link opens after it.
struct SpoolLoaded {
  std::vector<ResultItem> results;
};

// A well-formed message of the broker. `session` is what its header claims.
struct MessageReceived {
  SessionId session;
  Correlation correlation;
  Message message;
};
// Frames that the codec refused.
struct MalformedReceived {
  Error error;
};
// A send was refused: not connected, or the queue is full.
struct LinkUnwritable {};

// The broker does not admit this worker, or is another one than expected: to try again is no use.
struct LinkRefused {
  std::string why;
};

using AttemptStarted = exec_event::Started;
using AttemptOutput = exec_event::Output;
using AttemptProgressed = exec_event::Progressed;
using AttemptEnded = exec_event::Ended;

// Answers effect SpoolStore. When the disk refused (`kept` false) the result is sent all the same:
// it is then only as safe as this process.
struct SpoolStored {
  AttemptKey attempt;
  bool kept = true;
};

// Answers effect ReadLog; leaves only if that session still is the current one.
struct LogRead {
  SessionId session;
  Correlation correlation;
  std::variant<Chunk, Error> answer;
};

// The first asks to drain, the second to stop at once.
struct StopRequested {};

// Ends a loop turn: timers fire, ready work starts, batches leave. The shell applies it after every
// drained round.
struct TurnEnded {};

}  // namespace command

using Command =
    std::variant<command::SpoolLoaded, command::MessageReceived, command::MalformedReceived,
                 command::LinkUnwritable, command::LinkRefused, command::AttemptStarted,
                 command::AttemptOutput, command::AttemptProgressed, command::AttemptEnded,
                 command::SpoolStored, command::LogRead, command::StopRequested,
                 command::TurnEnded>;

}  // namespace taskpipe::worker
