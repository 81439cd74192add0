#include "client/src/io_seat.hpp"

namespace taskpipe::client {

bool IoSeat::take_or_ask(Inbox& inbox) {
  const std::lock_guard lock(mutex_);
  if (holder_ == Holder::nobody) {
    holder_ = Holder::caller;
    ++changes_;
    asker_ = &inbox;
    return true;
  }
  if (holder_ == Holder::own && asker_ == nullptr) asker_ = &inbox;
  return false;
}

bool IoSeat::granted(const Inbox& inbox) const {
  const std::lock_guard lock(mutex_);
  return holder_ == Holder::caller && asker_ == &inbox;
}

void IoSeat::leave(const Inbox& inbox, const std::function<bool()>& idle) {
  const std::lock_guard lock(mutex_);
  if (asker_ != &inbox) return;
  asker_ = nullptr;
  if (holder_ != Holder::caller) return;
  // Under the lock: who posts after this look finds nobody, and fills the seat.
  if (!idle()) return give_to_own();
  holder_ = Holder::nobody;
  ++changes_;
  if (own_sleeps_) filled_.notify_one();
}

void IoSeat::fill() {
  const std::lock_guard lock(mutex_);
  if (holder_ == Holder::nobody) give_to_own();
}

// With mutex_ held.
void IoSeat::give_to_own() {
  holder_ = Holder::own;
  ++changes_;
  filled_.notify_one();
}

void IoSeat::await() {
  std::unique_lock lock(mutex_);
  while (holder_ != Holder::own) {
    const std::uint64_t seen = changes_;
    if (filled_.wait_for(lock, kVacancy, [this] { return holder_ == Holder::own; })) return;
    if (changes_ != seen) continue;  // callers come and go
    if (holder_ == Holder::nobody) return give_to_own();
    // One caller waits for long: there is nothing to look after until it leaves.
    own_sleeps_ = true;
    filled_.wait(lock, [this] { return holder_ != Holder::caller; });
    own_sleeps_ = false;
  }
}

bool IoSeat::asked() const {
  const std::lock_guard lock(mutex_);
  return asker_ != nullptr;
}

void IoSeat::grant() {
  const std::lock_guard lock(mutex_);
  if (asker_ == nullptr) return;
  holder_ = Holder::caller;
  ++changes_;
  asker_->poke();
}

void IoSeat::decline() {
  const std::lock_guard lock(mutex_);
  asker_ = nullptr;
}

}  // namespace taskpipe::client
