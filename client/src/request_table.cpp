#include "client/src/request_table.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "client/src/call_errors.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

struct IsReplyTo {
  const Message& reply;
  template <class Reply>
  [[nodiscard]] bool is() const {
    return std::holds_alternative<Reply>(reply);
  }
  bool operator()(const Query&) const { return is<Rows>(); }
  bool operator()(const Cancel&) const { return is<CancelAck>(); }
  bool operator()(const Resubmit&) const { return is<ResubmitAck>(); }
  bool operator()(const ToolsRequest&) const { return is<ToolsReply>(); }
  bool operator()(const WorkersRequest&) const { return is<WorkersReply>(); }
  bool operator()(const HealthRequest&) const { return is<HealthReply>(); }
  template <class Other>
  bool operator()(const Other&) const {
    return false;
  }
};

}  // namespace

// True when `ack` was the last one; it then holds the items of all.
bool RequestTable::gather(CancelAck& ack, Request& request) {
  auto& items = request.gathered.items;
  items.insert(items.end(), ack.items.begin(), ack.items.end());
  if (ack.more) return false;
  ack.items = std::move(items);
  return true;
}

// True when every item is settled; `ack` then holds all. What the broker had no time for is asked
// again, under the same ids.
bool RequestTable::gather(ResubmitAck& ack, Request& request) {
  ResubmitAck& settled = request.resubmitted;
  const auto refused = [](const TaskCode& item) { return item.code != ErrorCode::ok; };
  // The text is that of the first refusal; after another one it would be taken for its text.
  const bool text_fits = std::none_of(settled.items.begin(), settled.items.end(), refused);
  std::unordered_set<TaskId> later;
  for (const TaskCode& item : ack.items) {
    if (is_passing(item.code)) {
      later.insert(item.id);
    } else {
      settled.items.push_back(item);
    }
  }
  if (text_fits && ack.error && !is_passing(ack.error->code)) settled.error = ack.error;
  if (!later.empty()) {
    std::erase_if(std::get<Resubmit>(request.message).items,
                  [&](const ResubmitItem& item) { return !later.contains(item.id); });
    return false;
  }
  ack = std::move(settled);
  return true;
}

void RequestTable::ask_later(Correlation correlation, Request& request,
                             const std::optional<Error>& why, MonotonicTime now) {
  const auto retry_ms = why ? why->retry_ms : std::nullopt;
  request.not_before = now + Millis(retry_ms.value_or(limits::kBusyRetryMs));
  if (std::exchange(request.sent, false)) unsent_.push_back(correlation);
}

void RequestTable::add(CallId call, Message request) {
  const Correlation correlation = correlations_.next(RequestKind::ask);
  requests_.emplace(correlation, Request{call, std::move(request), false, {}, {}, {}});
  by_call_.emplace(call, correlation);
  unsent_.push_back(correlation);
}

void RequestTable::forget(CallId call) {
  const auto found = by_call_.find(call);
  if (found == by_call_.end()) return;
  requests_.erase(found->second);
  std::erase(unsent_, found->second);
  by_call_.erase(found);
}

void RequestTable::on_welcome() {
  unsent_.clear();
  for (auto& [correlation, request] : requests_) {
    request.sent = false;
    request.gathered = {};
    request.not_before = MonotonicTime{};
    unsent_.push_back(correlation);
  }
  std::sort(unsent_.begin(), unsent_.end());
}

bool RequestTable::on_reply(Correlation correlation, Message&& reply, MonotonicTime now,
                            Effects& out) {
  const auto found = requests_.find(correlation);
  if (found == requests_.end()) return false;
  Request& request = found->second;
  if (!std::visit(IsReplyTo{reply}, request.message)) return false;
  if (auto* ack = std::get_if<CancelAck>(&reply)) {
    if (!gather(*ack, request)) return true;
  }
  if (auto* ack = std::get_if<ResubmitAck>(&reply)) {
    if (!gather(*ack, request)) {
      ask_later(correlation, request, ack->error, now);
      return true;
    }
  }
  const CallId call = request.call;
  forget(call);
  out.deliver(call, delivery::Answered{std::move(reply)}, true);
  return true;
}

void RequestTable::on_error(Correlation correlation, const Error& error, MonotonicTime now,
                            Effects& out) {
  const auto found = requests_.find(correlation);
  if (found == requests_.end()) return;
  if (error.code == ErrorCode::busy || error.code == ErrorCode::flow) {
    ask_later(correlation, found->second, error, now);
    return;
  }
  const CallId call = found->second.call;
  forget(call);
  out.fail(call, refused(error));
}

void RequestTable::flush(MonotonicTime now, SessionId session, Effects& out) {
  std::erase_if(unsent_, [&](Correlation correlation) {
    Request& request = requests_.at(correlation);
    if (now < request.not_before) return false;
    request.sent = true;
    out.sends.push_back(Outgoing{request.message, correlation, session});
    return true;
  });
}

std::optional<MonotonicTime> RequestTable::next_deadline() const {
  std::optional<MonotonicTime> next;
  for (const Correlation correlation : unsent_) {
    const MonotonicTime at = requests_.at(correlation).not_before;
    if (!next || at < *next) next = at;
  }
  return next;
}

}  // namespace taskpipe::client
