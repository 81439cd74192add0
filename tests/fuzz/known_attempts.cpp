#include "tests/fuzz/known_attempts.hpp"

#include <algorithm>
#include <variant>

namespace taskpipe::fuzz {
namespace {

constexpr std::size_t kMostKeys = 64;

struct Adopt {
  const KnownAttempts& known;

  void one(AttemptKey& key) const { key = known.at(key.task.low()); }
  void one(TaskId& id) const { id = known.at(id.low()).task; }
  template <class Item>
  void one(Item& item) const requires requires {
    item.attempt;
  }
  { one(item.attempt); }
  template <class T>
  void all(std::vector<T>& list) const {
    for (T& item : list) one(item);
  }

  // Worker and broker.
  void operator()(Hello& m) const {
    if (!m.worker) return;
    all(m.worker->running);
    all(m.worker->unacknowledged);
  }
  void operator()(Reconcile& m) const {
    all(m.keep);
    all(m.kill);
    all(m.resend);
    all(m.drop);
  }
  void operator()(TasksAck& m) const { all(m.refused); }
  void operator()(Recall& m) const { all(m.attempts); }
  void operator()(Returned& m) const { all(m.attempts); }
  void operator()(Started& m) const { all(m.items); }
  void operator()(Progress& m) const { all(m.items); }
  void operator()(Log& m) const { all(m.items); }
  void operator()(Result& m) const { all(m.items); }
  void operator()(ResultAck& m) const { all(m.items); }
  void operator()(Kill& m) const { all(m.items); }
  // Client and broker.
  void operator()(Wait& m) const { all(m.tasks); }
  void operator()(Query& m) const { all(m.filter.tasks); }
  void operator()(Cancel& m) const { all(m.tasks); }
  void operator()(Fetch& m) const { one(m.task); }
  void operator()(Chunk& m) const { one(m.task); }
  template <class Other>
  void operator()(Other&) const {}
};

}  // namespace

void KnownAttempts::add(const AttemptKey& key) {
  if (keys_.size() >= kMostKeys || std::ranges::find(keys_, key) != keys_.end()) return;
  keys_.push_back(key);
}

void KnownAttempts::adopt(Message& message) const {
  if (!keys_.empty()) std::visit(Adopt{*this}, static_cast<MessageVariant&>(message));
}

}  // namespace taskpipe::fuzz
