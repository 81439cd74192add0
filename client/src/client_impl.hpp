// What the methods of Client share: starting lazily, beginning calls, driving blocking ones.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "client/src/call_sink.hpp"
#include "client/src/callback_thread.hpp"
#include "client/src/io_loop.hpp"
#include "common/bulk/access.hpp"
#include "common/security/join_file.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

// How many submits of submit_async are not answered yet, and who waits for one to be.
class OpenSubmits {
 public:
  // Takes a place as soon as fewer than `limit` are open; nothing then, else why there is none: the
  // timeout, or what `options` say (their own timeout is not looked at). A place that is free is
  // taken whatever they say.
  [[nodiscard]] std::optional<ClientError> acquire(std::size_t limit, Millis timeout,
                                                   const CallOptions& options);
  void release();

 private:
  std::mutex mutex_;
  std::condition_variable_any released_;
  std::size_t open_ = 0;
};

}  // namespace taskpipe::client

namespace taskpipe {

class Client::Impl {
 public:
  explicit Impl(ClientOptions options);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() = default;

  // Ends the calls and the threads. In a forked child: forgets them, since they are not there.
  void close();

  [[nodiscard]] const ClientOptions& options() const { return options_; }
  [[nodiscard]] client::CallId new_call() { return client::CallId{++last_call_}; }

  // Begins a call whose deliveries go to `sink`; starts the threads if need be.
  [[nodiscard]] CallResult<void> begin(client::CallStart start,
                                       std::shared_ptr<client::CallSink> sink);
  [[nodiscard]] CallResult<void> subscribe(client::CallId call, std::vector<std::string> topics,
                                           std::shared_ptr<client::CallSink> sink);
  void forget(client::CallId call);
  void abort(client::CallId call, ClientError why);
  void log_consumed(client::CallId call, std::size_t bytes);
  void watch_report(client::CallId call, const client::WatchReport& report);

  // Begins a call and hands each delivery but a failure to `on_delivery`, on this thread, until the
  // last one, or until `on_delivery` returns false. Exceptions of `on_delivery` end the call and
  // pass through. `options` end it early; its timeout is not looked at.
  using OnDelivery = std::function<bool(client::CallId, client::Delivery&&)>;
  [[nodiscard]] CallResult<void> run(client::CallCommand command, std::optional<Millis> timeout,
                                     const CallOptions& options, const OnDelivery& on_delivery,
                                     bool renewed_by_answers = false);

  // A request with one reply.
  template <class Reply>
  [[nodiscard]] CallResult<Reply> ask(Message request, const CallOptions& options) {
    Reply reply;
    auto done = run(client::command::Ask{std::move(request)}, request_timeout(options), options,
                    [&reply](client::CallId, client::Delivery&& what) {
                      auto* answered = std::get_if<client::delivery::Answered>(&what);
                      if (answered != nullptr) reply = std::move(std::get<Reply>(answered->reply));
                      return true;
                    });
    if (!done) return tl::unexpected(std::move(done.error()));
    return reply;
  }

  [[nodiscard]] Millis request_timeout(const CallOptions& options) const {
    return options.timeout.value_or(options_.request_timeout);
  }

  // The thread of callbacks; nothing once closed.
  [[nodiscard]] std::shared_ptr<client::CallbackThread> callbacks();
  [[nodiscard]] client::OpenSubmits& open_submits() { return open_submits_; }

  // Open wait_async calls, for `Client::forget`. A call that was retired does not start its
  // callback.
  void enlist(client::CallId call);
  [[nodiscard]] bool retire(client::CallId call);  // false when it was retired before

  // Takes `count` of the limits::kMaxFollowedById topics of single tasks; false when there are not
  // so many left.
  [[nodiscard]] bool take_task_topics(std::size_t count);
  void return_task_topics(std::size_t count);

  // Where events come from, given what the broker announced.
  [[nodiscard]] std::string event_endpoint(const Welcome& welcome) const;
  [[nodiscard]] std::string bulk_endpoint(const std::string& announced) const {
    return bulk::reachable(announced, broker_.to_string());
  }
  [[nodiscard]] std::string broker_endpoint() const { return broker_.to_string(); }
  // With keys.
  [[nodiscard]] std::optional<net::CurveClient> curve() const {
    if (!join_) return std::nullopt;
    return net::CurveClient{join_->server_key, join_->keys};
  }

 private:
  // The I/O thread; started on the first call.
  [[nodiscard]] CallResult<std::shared_ptr<client::IoLoop>> loop();
  // The same, or null when it does not run.
  [[nodiscard]] std::shared_ptr<client::IoLoop> running();
  [[nodiscard]] std::optional<Error> check_options();
  [[nodiscard]] client::IoConfig io_config() const;
  [[nodiscard]] bool is_forked_child() const;

  ClientOptions options_;
  std::optional<Error> bad_options_;
  client::Endpoint broker_;
  std::optional<security::Join> join_;
  client::OpenSubmits open_submits_;
  std::atomic<std::uint64_t> last_call_{0};
  std::atomic<std::size_t> task_topics_{0};

  std::mutex open_waits_mutex_;
  std::unordered_set<client::CallId> open_waits_;

  std::mutex mutex_;  // of what follows
  bool closed_ = false;
  pid_t owner_ = 0;  // the process that started the threads
  std::shared_ptr<client::IoLoop> loop_;
  std::shared_ptr<client::CallbackThread> callbacks_;
};

}  // namespace taskpipe
