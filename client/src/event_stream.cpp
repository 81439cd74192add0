#include "client/src/event_stream.hpp"

#include <algorithm>
#include <utility>

namespace taskpipe::client {

void EventStream::count_up(const std::string& topic, Changes& changes) {
  if (++subscriptions_[topic] == 1) changes.added.push_back(topic);
}

void EventStream::count_down(const std::string& topic, Changes& changes) {
  const auto found = subscriptions_.find(topic);
  if (found == subscriptions_.end() || --found->second > 0) return;
  subscriptions_.erase(found);
  changes.removed.push_back(topic);
  // Unheard from now on, so that a later subscription must not see a gap there.
  const auto is_unheard = [&](const auto& entry) {
    const auto covers = [&](const auto& other) { return entry.first.starts_with(other.first); };
    return entry.first.starts_with(topic) &&
           std::none_of(subscriptions_.begin(), subscriptions_.end(), covers);
  };
  std::erase_if(positions_, is_unheard);
}

EventStream::Changes EventStream::add(CallId call, std::vector<std::string> topics,
                                      MonotonicTime now) {
  Changes changes;
  if (calls_.empty()) last_heard_ = now;
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  for (const auto& topic : topics) count_up(topic, changes);
  if (calls_.empty()) count_up(std::string(kHeartbeatTopic), changes);
  calls_.emplace(call, std::move(topics));
  return changes;
}

EventStream::Changes EventStream::remove(CallId call) {
  Changes changes;
  const auto found = calls_.find(call);
  if (found == calls_.end()) return changes;
  for (const auto& topic : found->second) count_down(topic, changes);
  calls_.erase(found);
  if (calls_.empty()) epoch_.reset();
  if (calls_.empty()) count_down(std::string(kHeartbeatTopic), changes);
  return changes;
}

std::vector<std::string> EventStream::topics() const {
  std::vector<std::string> result;
  for (const auto& [topic, count] : subscriptions_) result.push_back(topic);
  return result;
}

void EventStream::on_events(const std::string& topic, Events&& events, MonotonicTime now,
                            Effects& out) {
  last_heard_ = now;
  const bool heartbeat = topic == kHeartbeatTopic;
  bool gap = false;
  if (!heartbeat) {
    const auto [known, is_new] = positions_.try_emplace(topic, Position{events.epoch, events.seq});
    if (is_new) {
      // Whose heartbeat is still to come: that takes this topic for one that has been told.
      gap = epoch_.value_or(events.epoch) != events.epoch;
      if (!epoch_) epoch_ = events.epoch;
    } else {
      gap = known->second.epoch != events.epoch || events.prev_seq > known->second.seq;
      known->second = Position{events.epoch, events.seq};
    }
  } else {
    check_positions(events, out);
  }
  publish(topic, std::move(events), gap, out);
}

void EventStream::check_positions(const Events& heartbeat, Effects& out) {
  for (const auto& position : heartbeat.positions) {
    const auto known = positions_.find(position.topic);
    if (known == positions_.end()) continue;
    Position& heard = known->second;
    const bool behind = heard.epoch != heartbeat.epoch || position.seq > heard.seq;
    if (!behind) continue;
    Events missing;
    missing.epoch = heartbeat.epoch;
    missing.prev_seq = heard.seq;
    missing.seq = position.seq;
    heard = Position{heartbeat.epoch, position.seq};
    publish(position.topic, std::move(missing), true, out);
  }
  const auto before = std::exchange(epoch_, heartbeat.epoch);
  if (before && *before != heartbeat.epoch) tell_restart(out);
}

// What the broker before has published last is not known: nobody must wait for the next event of a
// quiet topic to hear that.
void EventStream::tell_restart(Effects& out) {
  Events nothing;
  nothing.epoch = *epoch_;
  for (auto& [topic, heard] : positions_) {
    if (heard.epoch == *epoch_) continue;
    heard = Position{*epoch_, 0};  // the new broker's heartbeat names no event of this topic
    publish(topic, Events(nothing), true, out);
  }
  for (const auto& [topic, count] : subscriptions_) {
    const auto heard = positions_.lower_bound(topic);
    const bool told = heard != positions_.end() && heard->first.starts_with(topic);
    if (!told && topic != kHeartbeatTopic) publish(topic, Events(nothing), true, out);
  }
}

void EventStream::publish(std::string topic, Events&& events, bool gap, Effects& out) const {
  std::shared_ptr<const EventBatch> batch;
  for (const auto& [call, topics] : calls_) {
    const bool wants = std::any_of(topics.begin(), topics.end(), [&topic](const auto& prefix) {
      return std::string_view(topic).starts_with(prefix);
    });
    if (!wants) continue;
    if (!batch) batch = std::make_shared<const EventBatch>(EventBatch{topic, events, gap});
    out.deliver(call, delivery::EventsArrived{batch}, false);
  }
}

void EventStream::on_watched(const std::string& topic, Events&& events, bool gap,
                             Effects& out) const {
  publish(topic, std::move(events), gap, out);
}

void EventStream::on_watch_alive(Epoch epoch, Effects& out) const {
  Events nothing;
  nothing.epoch = epoch;
  for (int i = 0; i < 2; ++i) publish(std::string(kHeartbeatTopic), Events(nothing), false, out);
}

void EventStream::on_reconnect(MonotonicTime now, Effects& out) {
  last_heard_ = now;
  for (const auto& [topic, position] : std::exchange(positions_, {})) {
    Events nothing;
    nothing.epoch = position.epoch;
    nothing.prev_seq = position.seq;
    nothing.seq = position.seq;
    publish(topic, std::move(nothing), true, out);
  }
}

std::optional<MonotonicTime> EventStream::silent_at() const {
  if (calls_.empty()) return std::nullopt;
  return last_heard_ + kSilence;
}

}  // namespace taskpipe::client
