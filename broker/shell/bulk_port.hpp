// The bulk port: a ROUTER on a thread of its own, so that gigabytes do not hold up the loop.
//
// The loop tells it which sessions are open and which blobs are needed; it asks the loop through a
// mailbox before it evicts anything. What is done with messages is decided in broker/bulk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

#include "broker/bulk/transfers.hpp"
#include "broker/core/command.hpp"
#include "broker/core/effect.hpp"
#include "broker/shell/authenticator.hpp"
#include "broker/store/blob_store.hpp"
#include "common/net/poll_loop.hpp"
#include "common/net/socket.hpp"
#include "common/process/logging.hpp"
#include "common/process/mailbox.hpp"

namespace taskpipe::broker {

class BulkPort {
 public:
  // With an authenticator peers need keys.
  BulkPort(net::Context& context, const Authenticator* authenticator, process::Logger& logger);
  BulkPort(const BulkPort&) = delete;
  BulkPort& operator=(const BulkPort&) = delete;
  // Stops the thread; uploads that are under way stay for later.
  ~BulkPort();

  [[nodiscard]] tl::expected<void, Error> bind(const std::string& endpoint);
  [[nodiscard]] std::string endpoint() const { return socket_ ? socket_->endpoint() : ""; }
  // Instead of `start`: nobody can connect any more.
  void close() { socket_.reset(); }
  // Starts the thread, which looks what is in the store and serves it. Once.
  void start(BlobStoreOptions options);

  // Loop thread.
  void tell(SessionChange change) {
    if (socket_) news_.post(std::move(change));
  }
  void tell(BlobsNeeded needed) { news_.post(std::move(needed)); }
  // Of the mailbox that questions to the core come through.
  [[nodiscard]] int questions_fd() const { return questions_.fd(); }
  void take_questions(std::vector<Command>& out) { questions_.take(out); }

 private:
  struct Stop {};
  using News = std::variant<SessionChange, BlobsNeeded, Stop>;
  // What was asked of the loop, until it has answered.
  struct Question {
    std::uint64_t ticket = 0;
    std::vector<std::string> candidates;
    bool for_room = false;
  };

  void open(const BlobStoreOptions& options);
  void run();
  void turn();
  void take_news();
  void on_needed(const BlobsNeeded& needed);
  bool receive_some();
  void handle();
  void send_all();
  void make_room();
  void sweep();
  void ask(std::vector<std::string> candidates, bool for_room);
  [[nodiscard]] Millis poll_timeout() const;

  process::Logger& logger_;
  std::optional<net::RouterSocket> socket_;  // none when closed
  net::Poller poller_;
  process::Mailbox<News> news_;
  process::Mailbox<Command> questions_;
  // From here on the thread's own.
  std::optional<BlobStore> store_;
  std::optional<Transfers> transfers_;
  net::ReceivedMessage received_;
  std::vector<News> taken_;
  BulkSends sends_;
  std::optional<Question> question_;
  std::uint64_t last_ticket_ = 0;
  Now now_;
  MonotonicTime ticked_;
  MonotonicTime swept_;
  bool more_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace taskpipe::broker
