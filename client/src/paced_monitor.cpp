#include "client/src/paced_monitor.hpp"

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::client {
namespace {

// Between the thread that monitors and the one that calls back.
class Mail {
 public:
  using End = CallResult<std::vector<TaskResult>>;

  // While the reader is slow the writer waits: the client thins out progress meanwhile.
  void put(const TaskEvent& event, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto has_room = [this] { return events_.size() < limits::kMaxQueuedEvents; };
    if (!changed_.wait(lock, stop, has_room)) return;
    events_.push_back(event);
    changed_.notify_all();
  }
  void close(End end) {
    const std::lock_guard lock(mutex_);
    end_ = std::move(end);
    changed_.notify_all();
  }
  // False when nothing has come for so long. `end` is set once there is nothing more.
  bool take(std::vector<TaskEvent>& events, std::optional<End>& end, Millis patience) {
    events.clear();
    std::unique_lock lock(mutex_);
    const auto has_news = [this] { return !events_.empty() || end_.has_value(); };
    if (!changed_.wait_for(lock, patience, has_news)) return false;
    std::swap(events, events_);
    end = std::move(end_);
    end_.reset();
    changed_.notify_all();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<TaskEvent> events_;
  std::optional<End> end_;
};

}  // namespace

CallResult<std::vector<TaskResult>> paced_monitor(Client& client, std::span<const TaskId> ids,
                                                  const Client::MonitorCallback& on_event,
                                                  const std::function<void()>& on_silence,
                                                  Millis longest_silence,
                                                  std::optional<Millis> timeout) {
  Mail mail;
  // Its destructor, also after an exception of a callback, requests the stop and waits for the end.
  const std::jthread watcher([&](const std::stop_token& stop) {
    mail.close(client.monitor(ids, [&](const TaskEvent& event) { mail.put(event, stop); },
                              {timeout, stop}));
  });
  std::vector<TaskEvent> events;
  std::optional<Mail::End> end;
  while (!end) {
    if (!mail.take(events, end, longest_silence)) {
      on_silence();
      continue;
    }
    for (const TaskEvent& event : events) on_event(event);
  }
  return *std::move(end);
}

}  // namespace taskpipe::client
