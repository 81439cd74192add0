// Effects: what the broker core asks the shell to do, in this order: append the records, then, once
// what they may reveal is durable, send, publish and archive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/command.hpp"
#include "broker/core/finished.hpp"
#include "broker/core/record.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::broker {

// A message for one peer. It leaves once the journal is durable up to `reveals` (0 = at once);
// sends to one peer leave in the order in which they were asked for.
struct Send {
  Peer to;
  SessionId session;
  Correlation correlation;
  Message message;
  Lsn reveals;
};

// A message on the PUB channel, under the same rule.
struct Publish {
  std::string topic;  // ends in "."
  Events events;
  Lsn reveals;
};

// A question to the history, answered by command::LookupAnswered.
struct HistoryLookup {
  struct Tasks {
    std::vector<TaskId> ids;
  };
  struct Workflows {
    std::vector<WorkflowId> ids;
  };
  struct Listing {
    std::string owner;  // empty = everybody's
    QueryFilter filter;
    std::string cursor;
    std::uint32_t limit = 0;
  };
  std::uint64_t ticket = 0;
  std::variant<Tasks, Workflows, Listing> what;
};

// A session has begun, or is over: the bulk port admits who shows its token. In the order in which
// they happened, and before anything is sent to the session.
struct SessionChange {
  SessionId session;
  std::optional<BulkToken> token;  // none = it is over
  bool may_put = false;            // into the store
};
// The answer to command::BlobsAsked with the same ticket: those that live tasks need.
struct BlobsNeeded {
  std::uint64_t ticket = 0;
  std::vector<std::string> hashes;
};

enum class NoteLevel : std::uint8_t { info, warning };
// Something an operator would want in the log.
struct Note {
  NoteLevel level = NoteLevel::info;
  std::string text;
};

// What whoever is responsible for the cluster would want to look up later: who was there, and who
// has acted on what was not theirs. Only with keys.
struct Audit {
  std::string event;  // "session_opened", …
  std::string user;
  Role role = Role::client;
  std::string key;   // name of its certificate
  std::string name;  // as the peer calls itself
  std::string detail;
};

// Reused from turn to turn: `clear` keeps the capacity.
struct Effects {
  Lsn first_lsn;  // of records[0]
  std::vector<Record> records;
  std::vector<Send> sends;
  std::vector<Publish> events;
  std::vector<HistoryLookup> lookups;
  std::optional<HistoryBatch> archive;  // the answer to command::HistoryReady
  std::vector<SessionChange> session_changes;
  std::vector<BlobsNeeded> blobs_needed;
  std::vector<Note> notes;
  std::vector<Audit> audits;

  void clear() {
    records.clear();
    sends.clear();
    events.clear();
    lookups.clear();
    archive.reset();
    session_changes.clear();
    blobs_needed.clear();
    notes.clear();
    audits.clear();
  }
};

}  // namespace taskpipe::broker
