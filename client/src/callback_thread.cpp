#include "client/src/callback_thread.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "client/src/service_thread.hpp"

namespace taskpipe::client {

struct CallbackThread::State {
  std::mutex mutex;
  std::condition_variable posted;
  std::deque<std::function<void()>> queue;
  bool ending = false;
  std::thread thread;
  std::thread::id id;  // kept when `thread` has been given away

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      posted.wait(lock, [this] { return ending || !queue.empty(); });
      if (queue.empty()) return;
      std::function<void()> callback = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      callback();
      callback = nullptr;  // what it captured may use the client as well
      lock.lock();
    }
  }
};

CallbackThread::CallbackThread() : state_(std::make_shared<State>()) {
  // The thread shares the state, because it may outlive this object.
  state_->thread = start_service_thread("tp-callbacks", [state = state_] { state->run(); });
  state_->id = state_->thread.get_id();
}

CallbackThread::~CallbackThread() { stop(); }

void CallbackThread::stop() {
  std::thread ending;
  {
    const std::lock_guard lock(state_->mutex);
    state_->ending = true;
    std::swap(ending, state_->thread);
  }
  state_->posted.notify_one();
  if (!ending.joinable()) return;
  if (ending.get_id() == std::this_thread::get_id()) {
    ending.detach();
  } else {
    ending.join();
  }
}

void CallbackThread::post(std::function<void()> callback) {
  {
    std::unique_lock lock(state_->mutex);
    if (state_->ending) {
      lock.unlock();
      return callback();
    }
    state_->queue.push_back(std::move(callback));
  }
  state_->posted.notify_one();
}

bool CallbackThread::is_this_thread() const { return state_->id == std::this_thread::get_id(); }

}  // namespace taskpipe::client
