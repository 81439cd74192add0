// A client's or a worker's end of the bulk port: carries files up and down, over reconnects.
//
// Blocking, one thread. The connection is kept from call to call. Broken off by whatever, a
// transfer goes on where it was: the broker tells how much of an upload it has, and a download
// knows how much it has written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/bulk/access.hpp"
#include "common/bulk/download.hpp"
#include "common/bulk/upload.hpp"
#include "common/model/error.hpp"
#include "common/model/time.hpp"
#include "common/net/poll_loop.hpp"
#include "common/net/socket.hpp"

namespace taskpipe::bulk {

struct Patience {
  Millis without_progress{0};             // then what is left fails with BUSY
  std::optional<Millis> in_all{};         // likewise, with FLOW
  std::function<bool()> keep_going = {};  // asked all the time; false = give up, with SHUTTING_DOWN
  // File by its place in the call; bytes that are where they belong.
  std::function<void(std::size_t, std::uint64_t)> on_progress = {};
};

class BulkPeer {
 public:
  // Asked at each connection; nothing = there is no session just now.
  using AccessSource = std::function<std::optional<Access>()>;
  BulkPeer(net::Context& context, AccessSource access);
  BulkPeer(const BulkPeer&) = delete;
  BulkPeer& operator=(const BulkPeer&) = delete;
  ~BulkPeer();

  using Result = tl::expected<void, Error>;
  // Each has a result, in their order; limits::kTransfersInFlight at a time.
  [[nodiscard]] std::vector<Result> put(std::vector<UploadFile> files, const Patience& patience);
  [[nodiscard]] std::vector<Result> get(std::vector<DownloadFile> files, const Patience& patience);

  // Of files, since the start.
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  struct Transfer;
  enum class State : std::uint8_t { closed, connecting, greeting, ready };

  [[nodiscard]] std::vector<Result> run(std::vector<Transfer>& transfers, const Patience& patience);
  [[nodiscard]] std::optional<Error> out_of_patience(const Patience& patience) const;
  void connect();
  void disconnect();
  void drain(std::vector<Transfer>& transfers, const Patience& patience);
  void on_message(std::vector<Transfer>& transfers, Correlation correlation, Message message,
                  const Patience& patience);
  void greet();
  void on_error(std::vector<Transfer>& transfers, Correlation correlation, const Error& error);
  void restart(std::vector<Transfer>& transfers);
  void start_more(std::vector<Transfer>& transfers);
  void start(Transfer& transfer);
  void send_pieces(std::vector<Transfer>& transfers);
  void settle_download(Transfer& transfer);
  [[nodiscard]] bool send(Correlation correlation, const Message& message);
  void progressed();

  net::Context& context_;
  AccessSource source_;
  std::uint64_t connection_;
  std::optional<Access> access_;
  std::unique_ptr<net::DealerSocket> dealer_;
  std::unique_ptr<net::Poller> poller_;
  net::ReceivedMessage received_;
  State state_ = State::closed;
  bool no_port_ = false;  // the session has told of none
  std::uint64_t last_correlation_ = 0;
  MonotonicTime heard_at_;
  MonotonicTime progress_at_;
  MonotonicTime begun_at_;
  MonotonicTime retry_at_;  // of a connection
  std::uint64_t sent_bytes_ = 0;
};

}  // namespace taskpipe::bulk
