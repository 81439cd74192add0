#include "client/src/client_impl.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>

#include "client/src/call_errors.hpp"
#include "client/src/inbox.hpp"
#include "common/process/identity.hpp"
#include "common/process/random.hpp"

namespace taskpipe::client {

std::optional<ClientError> OpenSubmits::acquire(std::size_t limit, Millis timeout,
                                                const CallOptions& options) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::min(timeout, Millis(limits::kMaxCallTimeoutMs));
  std::unique_lock lock(mutex_);
  const auto free = [&] { return open_ < std::max<std::size_t>(limit, 1); };
  for (;;) {
    const auto pause =
        options.keep_waiting ? std::min(end, Clock::now() + Millis(limits::kAttentionMs)) : end;
    if (released_.wait_until(lock, options.stop, pause, free)) break;
    if (options.stop.stop_requested()) return stopped();
    if (Clock::now() >= end) return timed_out("waiting for earlier submits", timeout);
    // Unlocked: it may take its time, and whoever is answered must not wait for it.
    lock.unlock();
    const bool go_on = options.keep_waiting();
    lock.lock();
    if (!go_on && !free()) return stopped();
  }
  ++open_;
  return std::nullopt;
}

void OpenSubmits::release() {
  {
    const std::lock_guard lock(mutex_);
    --open_;
  }
  released_.notify_one();
}

}  // namespace taskpipe::client

namespace taskpipe {
namespace {

// Beyond this the caller has better things to do than to send and receive: both go on at once.
constexpr std::size_t kMostTasksOnOneThread = 16;

bool is_small(const client::CallCommand& command) {
  if (const auto* submit = std::get_if<client::command::SubmitTasks>(&command)) {
    return submit->tasks.size() <= kMostTasksOnOneThread;
  }
  if (const auto* run = std::get_if<client::command::RunTasks>(&command)) {
    return run->tasks.size() <= kMostTasksOnOneThread;
  }
  if (const auto* wait = std::get_if<client::command::AwaitTasks>(&command)) {
    return wait->ids.size() <= kMostTasksOnOneThread;
  }
  return std::holds_alternative<client::command::Ask>(command);
}

}  // namespace

Client::Impl::Impl(ClientOptions options) : options_(std::move(options)) {
  bad_options_ = check_options();
}

std::optional<Error> Client::Impl::check_options() {
  if (!options_.join.empty()) {
    auto join = security::read_join_file(options_.join);
    if (!join) return join.error();
    if (join->role == Role::worker) {
      return Error{ErrorCode::invalid,
                   "join file " + options_.join +
                       " is for a worker; clients need one of role client, observer or admin",
                   "join"};
    }
    if (options_.broker.empty()) options_.broker = join->clients;
    join_ = std::move(*join);
  }
  if (options_.broker.empty()) options_.broker = client::kDefaultBroker;
  const auto broker = client::parse_endpoint(options_.broker, client::kClientPort, "broker");
  if (!broker) return broker.error();
  broker_ = *broker;
  if (!options_.events.empty()) {
    const auto events = client::parse_endpoint(options_.events, client::kEventPort, "events");
    if (!events) return events.error();
  }
  for (const auto& [field, text] :
       {std::pair("user", &options_.user), std::pair("name", &options_.name)}) {
    if (text->size() > limits::kMaxNameBytes) {
      return Error{ErrorCode::invalid, std::string(field) + " is longer than 128 bytes", field};
    }
  }
  const std::pair<const char*, Millis> durations[] = {{"connect_timeout", options_.connect_timeout},
                                                      {"request_timeout", options_.request_timeout},
                                                      {"linger", options_.linger}};
  for (const auto& [field, duration] : durations) {
    if (duration < Millis(0) || duration > Millis(limits::kMaxCallTimeoutMs)) {
      return Error{ErrorCode::invalid, std::string(field) + " is negative or beyond all bounds",
                   field};
    }
  }
  return std::nullopt;
}

client::IoConfig Client::Impl::io_config() const {
  client::IoConfig config;
  config.broker = broker_;
  config.wanted_events = options_.events;
  config.linger = std::min(options_.linger, Millis(limits::kClientLingerMs));
  config.seed = process::random_u64();
  config.session.broker = broker_.to_string();
  config.session.connect_timeout = options_.connect_timeout;
  Hello& hello = config.session.hello;
  hello.role = Role::client;
  hello.user = options_.user.empty() ? process::user_name() : options_.user;
  if (join_) {
    hello.user = join_->user;
    config.curve = curve();
  }
  // Every client object is a peer of its own: several may live in one process, many on one node.
  hello.uuid = process::new_unique_id<PeerUuid>();
  hello.incarnation = 1;
  hello.name = options_.name.empty() ? "client" : options_.name;
  hello.host = process::host_name();
  hello.pid = process::process_id();
  return config;
}

bool Client::Impl::is_forked_child() const { return owner_ != 0 && owner_ != ::getpid(); }

CallResult<std::shared_ptr<client::IoLoop>> Client::Impl::loop() {
  const std::lock_guard lock(mutex_);
  if (closed_) return tl::unexpected(client::closed("it was closed before the call"));
  if (bad_options_) return tl::unexpected(client::refused(*bad_options_));
  if (is_forked_child()) {
    return tl::unexpected(
        client::closed("this process was forked from the one that uses it; make a new client"));
  }
  if (!loop_) {
    try {
      loop_ = std::make_shared<client::IoLoop>(io_config());
      owner_ = ::getpid();
    } catch (const std::exception& e) {
      return tl::unexpected(
          client::closed(std::string("its I/O thread cannot be started: ") + e.what()));
    }
  }
  return loop_;
}

std::shared_ptr<client::IoLoop> Client::Impl::running() {
  const std::lock_guard lock(mutex_);
  return is_forked_child() ? nullptr : loop_;
}

std::shared_ptr<client::CallbackThread> Client::Impl::callbacks() {
  const std::lock_guard lock(mutex_);
  if (closed_ || is_forked_child()) return nullptr;
  if (!callbacks_) callbacks_ = std::make_shared<client::CallbackThread>();
  return callbacks_;
}

void Client::Impl::close() {
  std::shared_ptr<client::IoLoop> loop;
  std::shared_ptr<client::CallbackThread> callbacks;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    std::swap(loop, loop_);
    std::swap(callbacks, callbacks_);
    if (is_forked_child()) {
      // Joining threads that this process does not have would never return.
      if (loop) new std::shared_ptr<client::IoLoop>(std::move(loop));
      if (callbacks) new std::shared_ptr<client::CallbackThread>(std::move(callbacks));
      return;
    }
  }
  if (loop) loop->stop();
  if (callbacks) callbacks->stop();
}

CallResult<void> Client::Impl::begin(client::CallStart start,
                                     std::shared_ptr<client::CallSink> sink) {
  const bool out_of_range = start.timeout && (*start.timeout < Millis(0) ||
                                              *start.timeout > Millis(limits::kMaxCallTimeoutMs));
  if (out_of_range) {
    return tl::unexpected(client::refused(
        Error{ErrorCode::invalid, "timeout is negative or beyond all bounds", "timeout"}));
  }
  auto io = loop();
  if (!io) return tl::unexpected(std::move(io.error()));
  if (!(*io)->begin(std::move(start), std::move(sink))) {
    return tl::unexpected(client::closed("it was closed during the call"));
  }
  return {};
}

CallResult<void> Client::Impl::subscribe(client::CallId call, std::vector<std::string> topics,
                                         std::shared_ptr<client::CallSink> sink) {
  auto io = loop();
  if (!io) return tl::unexpected(std::move(io.error()));
  if (!(*io)->subscribe(call, std::move(topics), std::move(sink))) {
    return tl::unexpected(client::closed("it was closed during the call"));
  }
  return {};
}

void Client::Impl::forget(client::CallId call) {
  if (auto io = running()) io->forget(call);
}

void Client::Impl::abort(client::CallId call, ClientError why) {
  if (auto io = running()) io->abort(call, std::move(why));
}

void Client::Impl::log_consumed(client::CallId call, std::size_t bytes) {
  if (auto io = running()) io->log_consumed(call, bytes);
}

void Client::Impl::watch_report(client::CallId call, const client::WatchReport& report) {
  if (auto io = running()) io->watch_report(call, report);
}

CallResult<void> Client::Impl::run(client::CallCommand command, std::optional<Millis> timeout,
                                   const CallOptions& options, const OnDelivery& on_delivery,
                                   bool renewed_by_answers) {
  const client::CallId call = new_call();
  const auto inbox = std::make_shared<client::Inbox>();
  auto io = loop();
  if (!io) return tl::unexpected(std::move(io.error()));
  client::IoLoop::Ride ride(**io, *inbox, is_small(command));
  auto begun =
      begin(client::CallStart{call, std::move(command), timeout, renewed_by_answers}, inbox);
  if (!begun) return begun;
  struct ForgetUnlessOver {
    Impl& impl;
    client::CallId call;
    bool over = false;
    ~ForgetUnlessOver() {
      if (!over) impl.forget(call);
    }
  } guard{*this, call};
  std::vector<client::Inbox::Item> items;
  CallOptions until = options;
  for (;;) {
    if (!ride.take(items, until.stop, until.keep_waiting)) {
      // The core ends the call, and tells what may have happened to it.
      abort(call, client::stopped());
      until = {};
      continue;
    }
    for (auto& item : items) {
      guard.over = guard.over || item.last;
      if (auto* failed = std::get_if<client::delivery::Failed>(&item.what)) {
        return tl::unexpected(std::move(failed->error));
      }
      if (!on_delivery(call, std::move(item.what))) return {};
    }
    if (guard.over) return {};
  }
}

void Client::Impl::enlist(client::CallId call) {
  const std::lock_guard lock(open_waits_mutex_);
  open_waits_.insert(call);
}

bool Client::Impl::retire(client::CallId call) {
  const std::lock_guard lock(open_waits_mutex_);
  return open_waits_.erase(call) > 0;
}

bool Client::Impl::take_task_topics(std::size_t count) {
  std::size_t taken = task_topics_.load();
  do {
    if (taken + count > limits::kMaxFollowedById) return false;
  } while (!task_topics_.compare_exchange_weak(taken, taken + count));
  return true;
}

void Client::Impl::return_task_topics(std::size_t count) { task_topics_ -= count; }

std::string Client::Impl::event_endpoint(const Welcome& welcome) const {
  if (welcome.role == Role::client) return {};  // that port is not for them
  return client::event_endpoint(broker_, options_.events, welcome.event_endpoint);
}

}  // namespace taskpipe
