#include "client/src/submit_queue.hpp"

#include <algorithm>
#include <cassert>
#include <string>

#include "client/src/call_errors.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

std::size_t payload_bytes(const PreparedTask& task) { return task.params.size(); }

}  // namespace

bool SubmitQueue::Entry::may_be_known() const {
  return doubtful || task.id_given || (held_back && task.id_told);
}

void SubmitQueue::add(CallId call, std::vector<PreparedTask> tasks) {
  add(call, std::move(tasks), false);
}

void SubmitQueue::add_run(CallId call, std::vector<PreparedTask> tasks) {
  add(call, std::move(tasks), true);
}

void SubmitQueue::add(CallId call, std::vector<PreparedTask> tasks, bool run) {
  assert(!tasks.empty());
  unsettled_[call] = tasks.size();
  std::uint32_t index = 0;
  for (auto& task : tasks) {
    queue_.push_back(Entry{std::move(task), call, index++, false, false, run});
  }
}

void SubmitQueue::fail(const std::unordered_map<CallId, ClientError>& calls, Effects& out) {
  const auto give_up = [&](const Entry& entry, bool sent) {
    const auto why = calls.find(entry.call);
    if (why == calls.end()) return false;
    const bool doubtful = sent || entry.doubtful;
    refused_item(entry, doubtful ? unacknowledged(why->second, entry.task.id) : why->second, out);
    return true;
  };
  for (auto batch = in_flight_.begin(); batch != in_flight_.end();) {
    std::erase_if(batch->second.entries, [&](const Entry& e) { return give_up(e, true); });
    const auto next = std::next(batch);
    if (batch->second.entries.empty()) erase(batch);
    batch = next;
  }
  std::erase_if(queue_, [&](const Entry& e) { return give_up(e, false); });
}

void SubmitQueue::forget(CallId call) {
  if (unsettled_.erase(call) == 0) return;
  const auto of_call = [call](const Entry& e) { return e.call == call; };
  for (auto batch = in_flight_.begin(); batch != in_flight_.end();) {
    std::erase_if(batch->second.entries, of_call);
    const auto next = std::next(batch);
    if (batch->second.entries.empty()) erase(batch);
    batch = next;
  }
  std::erase_if(queue_, of_call);
}

void SubmitQueue::on_welcome(const Welcome& welcome, MonotonicTime now) {
  limits_ = BatchLimits::of(welcome);
  granted_items_ = welcome.messages_total;
  granted_bytes_ = welcome.bytes_total;
  sent_items_ = 0;
  sent_bytes_ = 0;
  paused_until_ = now;
  held_back_.reset();
  // Back to the head of the queue, oldest first, to be batched anew: the bounds may have changed.
  std::vector<Entry> unanswered;
  for (auto& [correlation, batch] : in_flight_) {
    for (auto& entry : batch.entries) {
      entry.doubtful = true;
      unanswered.push_back(std::move(entry));
    }
  }
  in_flight_.clear();
  due_.clear();
  queue_.insert(queue_.begin(), std::make_move_iterator(unanswered.begin()),
                std::make_move_iterator(unanswered.end()));
}

void SubmitQueue::on_ack(Correlation correlation, const SubmitAck& ack, MonotonicTime now,
                         Effects& out) {
  granted_items_ = std::max(granted_items_, ack.messages_total);
  granted_bytes_ = std::max(granted_bytes_, ack.bytes_total);
  const auto batch = in_flight_.find(correlation);
  if (batch == in_flight_.end()) return;  // answered before, or given up
  auto& entries = batch->second.entries;
  std::vector<bool> answered(entries.size(), false);
  std::vector<Entry> again;
  std::size_t expected = 0;  // answers usually come in the order of the items
  for (const auto& item : ack.items) {
    const auto is_it = [&item](const Entry& e) { return e.task.id == item.id; };
    auto entry = entries.begin() + static_cast<std::ptrdiff_t>(std::min(expected, entries.size()));
    if (entry == entries.end() || !is_it(*entry)) {
      entry = std::find_if(entries.begin(), entries.end(), is_it);
    }
    if (entry == entries.end()) continue;
    const auto position = static_cast<std::size_t>(entry - entries.begin());
    expected = position + 1;
    if (answered[position]) continue;
    answered[position] = true;
    if (entry->run && item.code == ErrorCode::ok) {
      waits_.accepted(entry->call, entry->task.id, correlation, ack.waits);
    }
    settle(*entry, item.code, ack.error, again, out);
  }
  std::size_t position = 0;
  std::erase_if(entries, [&](const Entry&) { return answered[position++]; });
  if (entries.empty()) erase(batch);
  if (!again.empty()) requeue(std::move(again), ack.error, now);
}

void SubmitQueue::on_error(Correlation correlation, const Error& error, MonotonicTime now,
                           Effects& out) {
  const auto batch = in_flight_.find(correlation);
  if (batch == in_flight_.end()) return;
  std::vector<Entry> again;
  for (auto& entry : batch->second.entries) settle(entry, error.code, error, again, out);
  erase(batch);
  if (!again.empty()) requeue(std::move(again), error, now);
}

void SubmitQueue::settle(Entry& entry, ErrorCode code, const std::optional<Error>& error,
                         std::vector<Entry>& again, Effects& out) {
  if (code == ErrorCode::ok) {
    accepted(entry, out);
  } else if (is_passing(code)) {
    entry.held_back = true;
    again.push_back(std::move(entry));
  } else if (error && error->code == code) {
    refused_item(entry, refused(*error), out);
  } else {
    refused_item(entry, refused(code, "task " + entry.task.id.to_string()), out);
  }
}

void SubmitQueue::accepted(const Entry& entry, Effects& out) {
  held_back_.reset();
  const bool last = count_down(entry.call);
  if (entry.run) {
    if (last) submitted_runs_.push_back(entry.call);
    return;
  }
  if (!out.deliveries.empty() && out.deliveries.back().call == entry.call) {
    if (auto* run = std::get_if<delivery::TasksAccepted>(&out.deliveries.back().what)) {
      ++run->count;
      out.deliveries.back().last = last;
      return;
    }
  }
  out.deliver(entry.call, delivery::TasksAccepted{1}, last);
}

void SubmitQueue::refused_item(const Entry& entry, ClientError error, Effects& out) {
  bool last = count_down(entry.call);
  if (entry.run) {
    if (last) submitted_runs_.push_back(entry.call);
    last = waits_.refused_one(entry.call);
  }
  out.deliver(entry.call, delivery::TaskRefused{entry.index, std::move(error)}, last);
}

bool SubmitQueue::count_down(CallId call) {
  const auto found = unsettled_.find(call);
  assert(found != unsettled_.end());
  if (--found->second > 0) return false;
  unsettled_.erase(found);
  return true;
}

void SubmitQueue::requeue(std::vector<Entry> entries, const std::optional<Error>& error,
                          MonotonicTime now) {
  queue_.insert(queue_.begin(), std::make_move_iterator(entries.begin()),
                std::make_move_iterator(entries.end()));
  held_back_ = error;
  const std::uint32_t retry_ms = error && error->retry_ms ? *error->retry_ms : limits::kBusyRetryMs;
  paused_until_ = std::max(paused_until_, now + Millis(retry_ms));
}

void SubmitQueue::erase(InFlight::iterator batch) {
  due_.erase({batch->second.due, batch->first});
  in_flight_.erase(batch);
}

bool SubmitQueue::credit_allows(std::size_t items, std::size_t bytes) const {
  if (in_flight_.empty()) return true;
  return sent_items_ + items <= granted_items_ && sent_bytes_ + bytes <= granted_bytes_;
}

void SubmitQueue::flush(MonotonicTime now, SessionId session, Effects& out) {
  short_of_credit_ = false;
  if (now < paused_until_) return;
  resend_due(now, session, out);
  if (!short_of_credit_) send_fresh(now, session, out);
}

void SubmitQueue::resend_due(MonotonicTime now, SessionId session, Effects& out) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const Correlation correlation = due_.begin()->second;
    Batch& batch = in_flight_.at(correlation);
    std::size_t bytes = 0;
    for (const auto& entry : batch.entries) bytes += payload_bytes(entry.task);
    if (!credit_allows(batch.entries.size(), bytes)) {
      short_of_credit_ = true;
      return;
    }
    // The same items as before: they fitted one message then.
    BatchBuilder builder(limits_);
    for (auto& entry : batch.entries) {
      entry.doubtful = true;
      builder.add(entry.task);
    }
    due_.erase(due_.begin());
    send(correlation, batch, builder, now, session, out);
  }
}

void SubmitQueue::send_fresh(MonotonicTime now, SessionId session, Effects& out) {
  while (!queue_.empty() && !asks_once()) {
    BatchBuilder builder(limits_);
    Batch batch;
    std::size_t bytes = 0;
    while (!queue_.empty()) {
      Entry& entry = queue_.front();
      if (!batch.entries.empty() && !entry.fits_with(batch.entries.front())) break;
      bytes += payload_bytes(entry.task);
      if (!builder.has_room_for(entry.task)) break;
      // "Nothing in flight" excuses one message, not an item more than the credit in the next.
      if (!credit_allows(builder.size() + 1, bytes)) {
        short_of_credit_ = true;
        break;
      }
      builder.add(entry.task);
      batch.entries.push_back(std::move(entry));
      queue_.pop_front();
    }
    if (batch.entries.empty()) return;
    const Correlation correlation = correlations_.next(RequestKind::submit);
    auto& stored = in_flight_.emplace(correlation, std::move(batch)).first->second;
    send(correlation, stored, builder, now, session, out);
    if (short_of_credit_) return;
  }
}

void SubmitQueue::send(Correlation correlation, Batch& batch, BatchBuilder& builder,
                       MonotonicTime now, SessionId session, Effects& out) {
  sent_items_ += batch.entries.size();
  for (const auto& entry : batch.entries) sent_bytes_ += payload_bytes(entry.task);
  batch.due = now + jitter_.backoff(Millis(limits::kResendFirstMs), batch.sendings++,
                                    Millis(limits::kResendMaxMs));
  due_.emplace(batch.due, correlation);
  const Entry& first = batch.entries.front();
  out.sends.push_back(Outgoing{Submit{builder.take_specs(), builder.take_items(), first.run},
                               correlation, session, first.may_be_known()});
}

std::optional<MonotonicTime> SubmitQueue::next_deadline() const {
  if (idle() || short_of_credit_) return std::nullopt;
  const bool more_to_send = !queue_.empty() && !asks_once();
  if (more_to_send || due_.empty()) return paused_until_;
  return std::max(paused_until_, due_.begin()->first);
}

}  // namespace taskpipe::client
