#include "client/cli/top/top_feed.hpp"

#include <array>
#include <utility>

#include "client/cli/top/top_state.hpp"

namespace taskpipe::cli::top {
namespace {

constexpr Millis kRefreshEvery{2000};
constexpr std::size_t kMostListed = 20'000;  // of all that run

CallOptions asking_until(const std::stop_token& stop) {
  CallOptions options;
  options.stop = stop;
  return options;
}

// Whether the same question may be answered later.
bool passes_by(const ClientError& error) {
  if (error.failure == CallFailure::unreachable || error.failure == CallFailure::timed_out) {
    return true;
  }
  return error.failure == CallFailure::refused &&
         (error.error.code == ErrorCode::busy || error.error.code == ErrorCode::shutting_down);
}

}  // namespace

TopFeed::TopFeed(Client& client)
    : client_(client), asking_thread_([this](const std::stop_token& stop) { run(stop); }) {}

TopFeed::~TopFeed() {
  asking_thread_.request_stop();
  asking_thread_.join();
  close_log();
  subscription_.reset();  // no callback posts any more before the mailbox goes
}

void TopFeed::run(const std::stop_token& stop) {
  const CallOptions asking = asking_until(stop);
  bool listed = false;
  while (!stop.stop_requested()) {
    if (!subscription_) subscribe(asking);
    // After the subscription, so that nothing falls between the two.
    if (subscription_ && !std::exchange(listed, subscription_.has_value())) list(asking);
    refresh(asking);
    std::vector<Job> jobs;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, kRefreshEvery, [this] { return !jobs_.empty(); });
      jobs = std::exchange(jobs_, {});
    }
    for (const Job& job : jobs) job();
  }
}

void TopFeed::subscribe(const CallOptions& asking) {
  static const std::array<std::string, 3> topics = {"task.", "progress.", "worker."};
  auto made = client_.subscribe(
      topics, [this](const EventBatch& batch) { updates_.post(batch); }, asking);
  if (made) {
    subscription_.emplace(std::move(*made));
  } else {
    say(made.error());
  }
}

void TopFeed::refresh(const CallOptions& asking) {
  auto health = client_.health(asking);
  if (!health) return say(health.error());
  updates_.post(std::move(*health));
  auto workers = client_.workers(asking);
  if (!workers) return say(workers.error());
  updates_.post(std::move(*workers));
}

void TopFeed::list(const CallOptions& asking) {
  Listed listed;
  const auto read = [&](std::optional<TaskState> state, std::size_t most) {
    QueryFilter filter;
    filter.state = state;
    TaskListing listing = client_.list(filter, asking);
    const TaskRow* row = listing.next();
    for (std::size_t i = 0; row != nullptr && i < most; ++i, row = listing.next()) {
      listed.rows.push_back(*row);
    }
    if (listing.error()) say(*listing.error());
    return !listing.error();
  };
  if (read(std::nullopt, kMostEndedTasks) && read(TaskState::pending, kMostWaitingTasks) &&
      read(TaskState::running, kMostListed)) {
    updates_.post(std::move(listed));
  }
}

void TopFeed::add(Job job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  wake_.notify_all();
}

void TopFeed::cancel(const TaskId& task) {
  add([this, task] {
    const auto was_live =
        client_.cancel(task, Millis{0}, asking_until(asking_thread_.get_stop_token()));
    if (!was_live) return say(was_live.error());
    updates_.post(Said{(*was_live ? "cancelled " : "had ended: ") + task.to_string()});
  });
}

void TopFeed::list_again() {
  add([this] { list(asking_until(asking_thread_.get_stop_token())); });
}

std::uint64_t TopFeed::open_log(const TaskId& task, LogStream stream) {
  close_log();
  const std::uint64_t number = ++logs_;
  log_thread_ = std::jthread([this, task, stream, number](const std::stop_token& stop) {
    follow_log(task, stream, number, stop);
  });
  return number;
}

void TopFeed::follow_log(const TaskId& task, LogStream stream, std::uint64_t number,
                         const std::stop_token& stop) {
  std::uint64_t offset = 0;
  std::mutex mutex;
  std::condition_variable_any never;
  for (;;) {
    const auto end = client_.fetch_log(
        task, stream, offset, true,
        [&](const LogChunk& chunk) {
          offset = chunk.offset + chunk.data.size();
          updates_.post(LogPiece{number, std::string(chunk.data)});
        },
        asking_until(stop));
    if (end) return updates_.post(Said{"the log ends here"});
    if (!passes_by(end.error())) return say(end.error());
    updates_.post(Said{"the log goes on when the broker is back: " + end.error().text()});
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, kRefreshEvery, [] { return false; });
    if (stop.stop_requested()) return;
  }
}

void TopFeed::close_log() {
  if (!log_thread_.joinable()) return;
  log_thread_.request_stop();
  log_thread_.join();
}

void TopFeed::say(const ClientError& error) {
  if (error.failure != CallFailure::stopped) updates_.post(Said{error.text()});
}

}  // namespace taskpipe::cli::top
