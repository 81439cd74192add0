// Files on their way into the store. One content has one upload: who brings it second waits for the
// first, and takes its place when it goes away. Pure; its peers are known to Transfers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include <tl/expected.hpp>

#include "broker/bulk/blob_access.hpp"
#include "broker/bulk/bulk_peers.hpp"
#include "common/model/error.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::broker {

class Uploads {
 public:
  // Tells a peer; its transfer is over when `last`.
  using Tell = std::function<void(const TransferRef&, Message, bool last)>;
  Uploads(BlobAccess& store, Tell tell) : store_(store), tell_(std::move(tell)) {}

  void put(const TransferRef& from, const Put& put);
  // False when the peer broke the rules: more than its credit, or not in order.
  [[nodiscard]] bool on_data(const TransferRef& from, const std::string& sha256,
                             const PutData& data);
  // The peer does not want it any more, or is gone.
  void leave(const TransferRef& from, const std::string& sha256);

  void on_verified(const std::string& sha256);
  void on_stored(const std::string& sha256, const tl::expected<void, Error>& stored);
  void on_room_made();
  [[nodiscard]] bool wants_room() const { return waiting_for_room_ > 0; }
  [[nodiscard]] std::size_t active() const { return active_; }

 private:
  enum class Phase : std::uint8_t { room, verifying, queued, receiving, storing };
  struct Upload {
    std::uint64_t size_bytes = 0;
    Phase phase = Phase::queued;
    std::uint64_t written = 0;
    std::uint64_t credit = 0;
    std::deque<TransferRef> bringers;  // the first one sends
  };
  using Open = std::map<std::string, Upload, std::less<>>;

  void begin(Open::iterator upload, bool last_try);
  void receive(Open::iterator upload);
  void grant(Upload& upload);
  void finish(Open::iterator upload);
  // Tells the first bringer why, and goes on with the next from the beginning.
  void fail_first(Open::iterator upload, const Error& error);
  void end(Open::iterator upload, const Message& message);
  void set_phase(Upload& upload, Phase phase);
  void admit_queued();

  BlobAccess& store_;
  Tell tell_;
  Open open_;
  std::size_t active_ = 0;
  std::size_t waiting_for_room_ = 0;
  std::deque<std::string> queue_;  // of those that wait for a place
};

}  // namespace taskpipe::broker
