// One `Client::follow` call: keeps a watch open while it is needed, listens to the event port where
// that carries the same stream, and tells the caller what the StreamMerge makes of both. Runs on
// the caller's thread; nothing is polled.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "client/src/client_impl.hpp"
#include "client/src/inbox.hpp"
#include "client/src/stream_merge.hpp"

namespace taskpipe::client {

class StreamFollower {
 public:
  // The references outlive the follower.
  StreamFollower(Client::Impl& impl, const FollowRequest& request,
                 const Client::FollowCallback& on_changes);
  StreamFollower(const StreamFollower&) = delete;
  StreamFollower& operator=(const StreamFollower&) = delete;
  ~StreamFollower();  // ends what it has begun

  [[nodiscard]] CallResult<std::uint64_t> run(const CallOptions& options);

 private:
  [[nodiscard]] CallResult<void> begin(const CallOptions& options);
  // The number of the newest record now.
  [[nodiscard]] CallResult<std::uint64_t> present(const CallOptions& options);
  [[nodiscard]] bool is_published() const;
  // False when the call is over: `error` then says why, unless it came to its end.
  [[nodiscard]] bool handle(Inbox::Item&& item, std::optional<ClientError>& error);
  [[nodiscard]] bool on_published(const EventBatch& batch);
  [[nodiscard]] bool tell(const StreamChanges& changes);
  [[nodiscard]] bool at_present() const;
  void report();

  Client::Impl& impl_;
  const FollowRequest& request_;
  const Client::FollowCallback& on_changes_;
  std::shared_ptr<Inbox> inbox_;
  StreamMerge merge_;
  std::optional<std::uint64_t> until_;  // ends once everything up to here was told
  std::optional<CallId> watch_;         // while it is open
  std::optional<CallId> events_;        // the subscription
  std::optional<Epoch> epoch_;          // of the newest message
  bool wanted_ = true;                  // the watch is needed
  bool reported_ = true;                // as the I/O thread knows it
  bool listing_ = false;                // further pages of a snapshot follow
  std::size_t taken_ = 0;               // deliveries of the watch, not reported yet
};

}  // namespace taskpipe::client
