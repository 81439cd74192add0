// Reads one watched stream at a core as a correct client does: goes on where it stood, and drops
// what it has been told already.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "common/model/stream_place.hpp"
#include "tests/support/core_cluster.hpp"

namespace taskpipe::broker::testing {

class StreamReader {
 public:
  StreamReader(CoreCluster& cluster, std::uint64_t routing, StreamFilter filter)
      : cluster_(cluster), peer_{Port::client, routing}, filter_(std::move(filter)) {}

  // Opens a session and a watch; nothing = from now on, the first time.
  void connect(std::uint64_t credit = 4, const std::string& user = "ann") {
    session_ = cluster_.connect_client(peer_.routing, user);
    watch(credit);
  }
  void watch(std::uint64_t credit = 4) {
    granted_ = credit;
    received_ = 0;
    open_ = true;
    correlation_ = Correlation{++last_correlation_};
    const auto after = place_ ? std::optional(place_->seq()) : std::nullopt;
    say(Watch{filter_, epoch_, after, credit});
    read();
  }
  void grant(std::uint64_t more) {
    granted_ += more;
    say(WatchCredit{granted_, false});
    read();
  }
  // What was granted by other means.
  void granted(std::uint64_t total) { granted_ = total; }
  void end() {
    say(WatchCredit{0, true});
    open_ = false;
  }

  void read() {
    for (auto& message : cluster_.take(peer_)) {
      if (auto* events = std::get_if<Events>(&message)) take(*events);
      if (auto* error = std::get_if<ErrorReply>(&message)) {
        error_ = std::move(error->error);
        open_ = false;
      }
    }
  }

  // Position from which `connect` and `watch` go on.
  void stand_at(std::uint64_t seq) {
    place_ = StreamPlace(seq);
    epoch_.reset();
  }

  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] bool has_credit() const { return received_ < granted_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] const std::optional<StreamPlace>& place() const { return place_; }
  [[nodiscard]] std::optional<Error> take_error() { return std::exchange(error_, std::nullopt); }
  [[nodiscard]] const std::vector<TaskEvent>& told() const { return told_; }
  [[nodiscard]] std::vector<TaskEvent> take_told() { return std::exchange(told_, {}); }
  [[nodiscard]] const std::vector<WorkflowEvent>& workflows() const { return workflows_; }
  [[nodiscard]] const std::vector<Events>& messages() const { return messages_; }
  [[nodiscard]] SessionId session() const { return session_; }
  [[nodiscard]] const Peer& peer() const { return peer_; }

 private:
  void say(Message message) {
    cluster_.say(peer_, session_, std::move(message), false, correlation_);
  }

  void take(const Events& events) {
    messages_.push_back(events);
    ++received_;
    EXPECT_LE(received_, granted_) << "more was sent than granted";
    if (!place_) place_ = StreamPlace(events.prev_seq);
    EXPECT_TRUE(place_->joins(events));
    EXPECT_GE(events.seq, events.prev_seq);
    for (auto& event : place_->take(events.tasks, events.offset, events.seq)) {
      told_.push_back(std::move(event));
    }
    workflows_.insert(workflows_.end(), events.workflows.begin(), events.workflows.end());
    epoch_ = events.epoch;
  }

  CoreCluster& cluster_;
  Peer peer_;
  StreamFilter filter_;
  SessionId session_;
  Correlation correlation_;
  std::uint64_t last_correlation_ = 0;
  std::uint64_t granted_ = 0;
  std::uint64_t received_ = 0;
  std::optional<Epoch> epoch_;
  std::optional<StreamPlace> place_;
  bool open_ = false;
  std::optional<Error> error_;
  std::vector<TaskEvent> told_;
  std::vector<WorkflowEvent> workflows_;
  std::vector<Events> messages_;
};

}  // namespace taskpipe::broker::testing
