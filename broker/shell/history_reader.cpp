#include "broker/shell/history_reader.hpp"

#include <pthread.h>

#include <exception>
#include <utility>
#include <variant>

namespace taskpipe::broker {
namespace {

struct Answerer {
  History& history;
  command::LookupAnswered& answer;

  void operator()(const HistoryLookup::Tasks& what) const {
    answer.tasks = history.find_tasks(what.ids);
  }
  void operator()(const HistoryLookup::Workflows& what) const {
    answer.workflows = history.find_workflows(what.ids);
  }
  void operator()(const HistoryLookup::Listing& what) const {
    HistoryPage page = history.list(what.owner, what.filter, what.cursor, what.limit);
    answer.tasks = std::move(page.tasks);
    answer.next = std::move(page.next);
  }
};

}  // namespace

HistoryReader::HistoryReader(std::unique_ptr<History> history, HistoryAnswers& answers,
                             std::function<void(std::string)> on_failure)
    : history_(std::move(history)),
      answers_(answers),
      on_failure_(std::move(on_failure)),
      thread_([this] { run(); }) {}

HistoryReader::~HistoryReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  answers_.close();
  thread_.join();
}

void HistoryReader::look_up(HistoryLookup lookup) {
  {
    const std::lock_guard lock(mutex_);
    lookups_.push_back(std::move(lookup));
  }
  wake_.notify_one();
}

void HistoryReader::run() try {
  ::pthread_setname_np(::pthread_self(), "history-read");
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !lookups_.empty(); });
    if (stopping_) return;
    const std::vector<HistoryLookup> lookups = std::exchange(lookups_, {});
    lock.unlock();
    for (const auto& lookup : lookups) {
      if (!answers_.begin_reading()) return;
      answers_.answered(read(lookup));
    }
    lock.lock();
  }
} catch (const std::exception& failure) {
  on_failure_(failure.what());
}

command::LookupAnswered HistoryReader::read(const HistoryLookup& lookup) {
  command::LookupAnswered answer;
  answer.ticket = lookup.ticket;
  std::visit(Answerer{*history_, answer}, lookup.what);
  return answer;
}

}  // namespace taskpipe::broker
