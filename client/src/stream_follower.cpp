#include "client/src/stream_follower.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/src/call_errors.hpp"

namespace taskpipe::client {

StreamFollower::StreamFollower(Client::Impl& impl, const FollowRequest& request,
                               const Client::FollowCallback& on_changes)
    : impl_(impl),
      request_(request),
      on_changes_(on_changes),
      inbox_(std::make_shared<Inbox>()),
      merge_(request.after_seq) {}

StreamFollower::~StreamFollower() {
  if (watch_) impl_.forget(*watch_);
  if (events_) impl_.forget(*events_);
}

// The event port has this very stream: of one tool, of everybody, and without end.
bool StreamFollower::is_published() const {
  constexpr std::string_view kFamily = "task.";
  return !request_.over_router && request_.everybody && !request_.until_present &&
         request_.stream.starts_with(kFamily) && request_.stream != kFamily;
}

CallResult<std::uint64_t> StreamFollower::present(const CallOptions& options) {
  command::Watch position;
  position.filter.tasks = {TaskId{}};  // nobody's: an empty page
  position.only_position = true;
  std::uint64_t seq = 0;
  auto done = impl_.run(std::move(position), impl_.request_timeout(options), options,
                        [&seq](CallId, Delivery&& what) {
                          const auto* page = std::get_if<delivery::SnapshotArrived>(&what);
                          if (page != nullptr) seq = page->snap.seq;
                          return true;
                        });
  if (!done) return tl::unexpected(std::move(done.error()));
  return seq;
}

CallResult<void> StreamFollower::begin(const CallOptions& options) {
  if (request_.until_present) {
    const auto seq = present(options);
    if (!seq) return tl::unexpected(seq.error());
    until_ = *seq;
  }
  command::Watch watch;
  watch.filter = {request_.stream, request_.tasks, request_.everybody};
  watch.after_seq = request_.after_seq;
  const CallId call = impl_.new_call();
  auto begun = impl_.begin(CallStart{call, std::move(watch), options.timeout}, inbox_);
  if (!begun) return begun;
  watch_ = call;
  if (!is_published()) return {};
  const CallId events = impl_.new_call();
  if (impl_.subscribe(events, {request_.stream}, inbox_)) events_ = events;
  return {};
}

CallResult<std::uint64_t> StreamFollower::run(const CallOptions& options) {
  if (auto begun = begin(options); !begun) return tl::unexpected(std::move(begun.error()));
  std::vector<Inbox::Item> items;
  CallOptions until = options;
  std::optional<ClientError> error;
  for (;;) {
    if (!inbox_->take(items, until.stop, until.keep_waiting)) {
      impl_.abort(*watch_, stopped());
      until = {};
      continue;
    }
    for (auto& item : items) {
      if (handle(std::move(item), error)) continue;
      if (error) return tl::unexpected(std::move(*error));
      return merge_.place() ? merge_.place()->seq() : 0;
    }
    if (inbox_->lost_events()) wanted_ = true;
    report();
  }
}

bool StreamFollower::handle(Inbox::Item&& item, std::optional<ClientError>& error) {
  if (auto* failed = std::get_if<delivery::Failed>(&item.what)) {
    if (item.call != *watch_) return true;  // of the subscription: the watch fails as well
    watch_.reset();
    error = std::move(failed->error);
    return false;
  }
  if (auto* arrived = std::get_if<delivery::ChangesArrived>(&item.what)) {
    ++taken_;
    epoch_ = arrived->events.epoch;
    const auto changes = merge_.on_watched(std::move(arrived->events));
    return (!changes || tell(*changes)) && !at_present();
  }
  if (auto* page = std::get_if<delivery::SnapshotArrived>(&item.what)) {
    ++taken_;
    epoch_ = page->snap.epoch;
    listing_ = page->snap.next != 0;
    return tell(merge_.on_snapshot(std::move(page->snap), page->first)) && !at_present();
  }
  const auto* events = std::get_if<delivery::EventsArrived>(&item.what);
  return events == nullptr || on_published(*events->batch);
}

bool StreamFollower::on_published(const EventBatch& batch) {
  std::optional<StreamChanges> changes;
  const auto published = merge_.on_published(batch, changes);
  if (published == StreamMerge::Published::gap) {
    wanted_ = true;
    return true;
  }
  if (!listing_) wanted_ = false;
  epoch_ = batch.events.epoch;
  return !changes || tell(*changes);
}

bool StreamFollower::tell(const StreamChanges& changes) {
  return !on_changes_ || on_changes_(changes);
}

bool StreamFollower::at_present() const {
  return until_ && !listing_ && merge_.place()->seq() >= *until_;
}

void StreamFollower::report() {
  if (taken_ == 0 && wanted_ == reported_) return;
  WatchReport report;
  report.taken = std::exchange(taken_, 0);
  report.wanted = reported_ = wanted_;
  if (merge_.place() && !listing_) report.after_seq = merge_.place()->seq();
  report.epoch = epoch_;
  impl_.watch_report(*watch_, report);
}

}  // namespace taskpipe::client
