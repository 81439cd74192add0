// The broker's loop: the one thread that owns the sockets and the core.
//
// A turn: drain a bounded number of messages per socket, apply them all, end the turn, append its
// records to the journal, and go on while that syncs. What the core wants sent waits in a queue
// until the record it may reveal is durable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/broker_core.hpp"
#include "broker/core/effect.hpp"
#include "broker/journal/journal.hpp"
#include "broker/shell/audit_log.hpp"
#include "broker/shell/authenticator.hpp"
#include "broker/shell/bulk_port.hpp"
#include "broker/shell/durability_gate.hpp"
#include "broker/shell/event_port.hpp"
#include "broker/shell/history_answers.hpp"
#include "broker/shell/history_reader.hpp"
#include "broker/shell/history_writer.hpp"
#include "broker/shell/journal_tender.hpp"
#include "broker/shell/peer_port.hpp"
#include "common/net/poll_loop.hpp"
#include "common/process/logging.hpp"
#include "common/process/mailbox.hpp"
#include "common/process/signals.hpp"

namespace taskpipe::broker {

// Other threads' news for the loop.
struct DurableAdvanced {};
struct StorageFailed {
  std::string reason;
};
struct KeysRevoked {
  KeyChange change;
};
using LoopNews = std::variant<DurableAdvanced, StorageFailed, KeysRevoked>;

// What the loop works with; all of it outlives the loop.
struct LoopParts {
  BrokerCore& core;
  Journal& journal;
  HistoryAnswers& history_answers;
  HistoryReader& history_reader;
  HistoryWriter* history_writer;  // null where nothing is written
  PeerPort& client_port;
  PeerPort& worker_port;
  EventPort& event_port;
  BulkPort& bulk_port;
  process::SignalFd& signals;
  process::Mailbox<LoopNews>& news;
  process::Logger& logger;
  Authenticator* authenticator = nullptr;  // these two with keys only
  AuditLog* audit = nullptr;
};

class BrokerLoop {
 public:
  explicit BrokerLoop(const LoopParts& parts);

  // Carries out the effects of BrokerCore::start and waits until they are durable: the epoch must
  // be before anybody may connect. Before `run`. False when the journal failed.
  [[nodiscard]] bool begin(Effects effects);

  // Until SIGTERM or SIGINT (returns 0) or a failure of journal or history (returns 1; nothing more
  // is acknowledged after it).
  [[nodiscard]] int run();

 private:
  [[nodiscard]] std::optional<Millis> poll_timeout(const Now& now) const;
  // True while messages are left that did not fit the turn.
  bool collect();
  void read_news();
  void read_signals();
  void apply_all(const Now& now);
  void carry_out();
  void release_durable();
  // Rows of what has ended, as many as the history has room for.
  void archive(const Now& now);
  void archive_rest();
  void deliver(DurabilityGate::Outbound what);
  void tend_journal();
  // Tells the core what waits for peers and for the disk.
  void count_queues();
  void write_notes();
  void revoke(KeyChange change);
  void tend_event_port();
  void make_poller();

  LoopParts parts_;
  std::optional<net::Poller> poller_;  // everything; made anew with the event port
  bool more_to_archive_ = false;       // the history has room for what this turn did not hand over
  net::Poller news_poller_;            // only what other threads report: before and after serving
  std::vector<Command> commands_;
  std::vector<Command> answers_;
  std::vector<LoopNews> news_;
  Effects effects_;
  DurabilityGate gate_;
  JournalTender tender_;
  MonotonicTime last_tending_;
  std::uint64_t queued_bytes_ = 0;  // as last told to the core
  bool stopping_ = false;
  std::optional<std::string> failure_;
};

}  // namespace taskpipe::broker
