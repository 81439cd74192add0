// Commands: everything that can happen to the broker core. The shell makes them from decoded
// messages, timers and the answers of journal and history; the simulator makes them at will.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/credential.hpp"
#include "broker/core/finished.hpp"
#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

// Which ROUTER a peer is connected to.
enum class Port : std::uint8_t { client = 0, worker = 1 };

// A connection, named by the port and the routing id that libzmq gave it (5 bytes; they fit). It
// changes with every reconnect and says nothing about who the peer is: that is the session's
// matter.
struct Peer {
  Port port = Port::client;
  std::uint64_t routing = 0;
  friend constexpr auto operator<=>(const Peer&, const Peer&) = default;
};

namespace command {

// The empty message of PROBE_ROUTER: a new connection.
struct PeerProbed {
  Peer peer;
};

// A well-formed message. `session` is what its header claims, 0 before WELCOME.
struct MessageReceived {
  Peer peer;
  SessionId session;
  Correlation correlation;
  bool resend = false;  // header flag RESEND
  Message message;
  CredentialPtr credential{};  // with keys, and looked at in HELLO alone
};

// Frames that the codec refused; the core answers and counts them.
struct MalformedReceived {
  Peer peer;
  SessionId session;
  Correlation correlation;
  Error error;
};

// The ROUTER could not deliver (EHOSTUNREACH, or EAGAIN at the high-water mark): the session is
// dead.
struct PeerUnreachable {
  Peer peer;
};

// The PUB channel's subscriptions, as libzmq reports them: every new subscriber of a topic, and the
// last one that leaves it.
struct TopicSubscribed {
  std::string topic;
};
struct TopicUnsubscribed {
  std::string topic;
};

// Nobody has subscribed to anything any more: the PUB channel was opened anew.
struct TopicsForgotten {};

// Keys, in hexadecimal, that are not admitted any more as what they were.
struct KeysRevoked {
  std::vector<std::string> keys;
};

// The history's answer to the effect `HistoryLookup` with the same ticket.
struct LookupAnswered {
  std::uint64_t ticket = 0;
  std::vector<FinishedTask> tasks;
  std::vector<FinishedWorkflow> workflows;
  std::string next;  // of a listing: cursor of the following page, empty = no more
};

// The history can take about `most_tasks` more of what has ended: up to `synced`, which is on the
// medium whatever the journal's durability. Ahead of the journal, it would keep a broker from
// starting.
struct HistoryReady {
  Lsn synced;
  std::size_t most_tasks = 0;
};

// Everything that ended at or below `watermark` is durable in the history.
struct HistoryCommitted {
  Lsn watermark;
};

// The journal wants its records up to `up_to` to be repeated at its end (as whole images of what
// still lives), so that their segment can be recycled. At most `max_records` per command.
struct CarryForward {
  Lsn up_to;
  std::size_t max_records = 0;
};

// Whether the journal has room for submits; results and cancels always fit its reserve.
struct StorageState {
  bool accepts_submits = true;
  std::uint64_t journal_bytes = 0;
};

// What the shell holds on its way to peers and to the disk, in bytes: it counts as the core's own
// memory does.
struct HeldOutside {
  std::uint64_t bytes = 0;
};

// The store may have to make room: which of these are inputs of tasks that have not ended?
struct BlobsAsked {
  std::uint64_t ticket = 0;
  std::vector<std::string> hashes;  // SHA-256 as hex digits
};

// The loop itself was away for `duration` (a filesystem hang, a suspended machine): every deadline
// moves by as much, or a stall would expire the whole cluster.
struct LoopStalled {
  Millis duration{0};
};

// Ends a loop turn: timers fire, ready tasks are placed, batches are closed. The shell applies it
// after every drained round of messages.
struct TurnEnded {};

// Refuse new submits and say BYE; what is recorded stays.
struct ShutdownRequested {};

}  // namespace command

using Command =
    std::variant<command::PeerProbed, command::MessageReceived, command::MalformedReceived,
                 command::PeerUnreachable, command::TopicSubscribed, command::TopicUnsubscribed,
                 command::TopicsForgotten, command::KeysRevoked, command::LookupAnswered,
                 command::HistoryReady, command::HistoryCommitted, command::CarryForward,
                 command::StorageState, command::HeldOutside, command::BlobsAsked,
                 command::LoopStalled, command::TurnEnded, command::ShutdownRequested>;

}  // namespace taskpipe::broker
