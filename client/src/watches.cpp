#include "client/src/watches.hpp"

#include <algorithm>
#include <utility>

#include "client/src/call_errors.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::client {

void Watches::add(CallId call, command::Watch watch) {
  Watched watched;
  watched.filter = std::move(watch.filter);
  watched.progress = watch.progress;
  watched.after = watch.after_seq;
  watched.only_position = watch.only_position;
  watched.listing = watch.only_position;
  watched_.emplace(call, std::move(watched));
}

void Watches::forget(CallId call) {
  const auto found = watched_.find(call);
  if (found == watched_.end()) return;
  end_watch(found->second);
  watched_.erase(found);
}

void Watches::end_watch(Watched& watched) {
  if (!watched.listing && watched.granted > 0) ended_.push_back(watched.correlation);
  watched.granted = 0;
}

void Watches::report(CallId call, const WatchReport& report) {
  const auto found = watched_.find(call);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  watched.unread -= std::min(watched.unread, report.taken);
  if (report.after_seq && !watched.listing && report.after_seq >= watched.after.value_or(0)) {
    watched.after = report.after_seq;
    watched.epoch = report.epoch;
  }
  if (watched.listing || watched.paused == !report.wanted) return;
  watched.paused = !report.wanted;
  watched.ask = report.wanted;
  if (watched.paused) end_watch(watched);
}

void Watches::begin_listing(Watched& watched) {
  watched.listing = true;
  watched.cursor = 0;
  watched.base.reset();
  watched.granted = 0;
  watched.ask = true;
}

void Watches::on_welcome(const Welcome& welcome) {
  broker_ = welcome.broker;
  ended_.clear();
  for (auto& [call, watched] : watched_) {
    watched.granted = 0;
    watched.ask = true;
    watched.paused = false;  // who else told it may have lost its link as well
    watched.not_before = MonotonicTime{};
    const bool other_data = watched.broker && *watched.broker != welcome.broker;
    // A page says what was true in its own session.
    if (other_data || (watched.listing && !watched.only_position)) begin_listing(watched);
    if (watched.broker) watched.broker = welcome.broker;
  }
}

std::map<CallId, Watches::Watched>::iterator Watches::find(Correlation correlation) {
  return std::find_if(watched_.begin(), watched_.end(), [correlation](const auto& entry) {
    return entry.second.correlation == correlation && !entry.second.ask;
  });
}

bool Watches::on_events(Correlation correlation, Events&& events, Effects& out) {
  const auto found = find(correlation);
  if (found == watched_.end() || found->second.listing) {
    // Of a watch that has ended: what was on its way.
    return CorrelationSource::kind_of(correlation) == RequestKind::watch;
  }
  Watched& watched = found->second;
  ++watched.received;
  ++watched.unread;
  watched.after = std::max(watched.after.value_or(0), events.seq);
  watched.epoch = events.epoch;
  watched.broker = broker_;
  out.deliver(found->first, delivery::ChangesArrived{std::move(events)}, false);
  return true;
}

bool Watches::on_snap(Correlation correlation, Snap&& snap, Effects& out) {
  const auto found = find(correlation);
  if (found == watched_.end() || !found->second.listing) {
    return CorrelationSource::kind_of(correlation) == RequestKind::watch;
  }
  const CallId call = found->first;
  Watched& watched = found->second;
  const bool first = !watched.base;
  if (watched.only_position) {
    watched_.erase(found);
    out.deliver(call, delivery::SnapshotArrived{std::move(snap), true}, true);
    return true;
  }
  if (first) watched.base = snap.seq;
  watched.cursor = snap.next;
  watched.ask = true;
  ++watched.unread;
  if (snap.next == 0) {
    watched.listing = false;
    watched.after = watched.base;
    watched.epoch = snap.epoch;
  }
  out.deliver(call, delivery::SnapshotArrived{std::move(snap), first}, false);
  return true;
}

void Watches::on_error(Correlation correlation, const Error& error, MonotonicTime now,
                       Effects& out) {
  const auto found = find(correlation);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  if (error.code == ErrorCode::busy || error.code == ErrorCode::flow) {
    watched.granted = 0;
    watched.ask = true;
    watched.not_before = now + Millis(error.retry_ms.value_or(limits::kBusyRetryMs));
  } else if (error.code == ErrorCode::gap_too_old && !watched.listing) {
    begin_listing(watched);
  } else {
    const CallId call = found->first;
    watched_.erase(found);
    out.fail(call, refused(error));
  }
}

void Watches::ask(Watched& watched, SessionId session, Effects& out) {
  watched.ask = false;
  watched.correlation = correlations_.next(RequestKind::watch);
  watched.received = 0;
  if (watched.listing) {
    out.sends.push_back(
        Outgoing{Snapshot{watched.filter, watched.cursor}, watched.correlation, session});
    return;
  }
  watched.granted = limits::kFollowCredit;
  const auto epoch = watched.after ? watched.epoch : std::nullopt;
  out.sends.push_back(
      Outgoing{Watch{watched.filter, epoch, watched.after, watched.granted, watched.progress},
               watched.correlation, session});
}

// In steps, so that not every message costs one in return.
void Watches::grant(Watched& watched, SessionId session, Effects& out) {
  if (watched.granted == 0 || watched.unread >= limits::kFollowCredit) return;
  const std::uint64_t total = watched.received + limits::kFollowCredit - watched.unread;
  if (total < watched.granted + limits::kFollowCredit / 2) return;
  watched.granted = total;
  out.sends.push_back(Outgoing{WatchCredit{total, false}, watched.correlation, session});
}

void Watches::flush(MonotonicTime now, SessionId session, Effects& out) {
  for (const Correlation correlation : std::exchange(ended_, {})) {
    out.sends.push_back(Outgoing{WatchCredit{0, true}, correlation, session});
  }
  for (auto& [call, watched] : watched_) {
    if (!watched.ask) {
      grant(watched, session, out);
    } else if (now >= watched.not_before && watched.unread < limits::kFollowCredit) {
      ask(watched, session, out);
    }
  }
}

std::optional<MonotonicTime> Watches::next_deadline() const {
  std::optional<MonotonicTime> next;
  for (const auto& [call, watched] : watched_) {
    if (!watched.ask || watched.unread >= limits::kFollowCredit) continue;
    if (!next || watched.not_before < *next) next = watched.not_before;
  }
  return next;
}

}  // namespace taskpipe::client
