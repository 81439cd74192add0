#include "tests/support/record_samples.hpp"

#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace taskpipe::testing {

using namespace broker::record;  // NOLINT(google-build-using-namespace)

broker::Record numbered_record(Lsn lsn, std::size_t bytes) {
  FinishedItem item;
  item.id = TaskId(7, lsn.value());
  item.attempt = Attempt(1);
  item.outcome.state = TaskState::success;
  item.outcome.reason = std::string(bytes, static_cast<char>('a' + lsn.value() % 26));
  return TasksFinished{WallTime{static_cast<std::int64_t>(lsn.value())}, {item}};
}

std::vector<broker::Record> numbered_records(Lsn first, std::size_t count, std::size_t bytes) {
  std::vector<broker::Record> records;
  for (std::size_t i = 0; i < count; ++i) {
    records.push_back(numbered_record(Lsn(first.value() + i), bytes));
  }
  return records;
}

namespace {

constexpr std::size_t kMostItems = 6;

class Samples {
 public:
  explicit Samples(std::mt19937_64& random) : random_(random) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  // All magnitudes alike, and both ends.
  template <class Integer>
  Integer integer() {
    switch (below(8)) {
      case 0: return std::numeric_limits<Integer>::min();
      case 1: return std::numeric_limits<Integer>::max();
      default: return static_cast<Integer>(random_() >> below(64));
    }
  }
  std::string text() {
    std::string text(below(4) == 0 ? 0 : below(40), '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }
  template <class Make>
  auto list(Make make) {
    std::vector<decltype(make())> list;
    const std::size_t count = below(4) == 0 ? 0 : below(kMostItems + 1);
    for (std::size_t i = 0; i < count; ++i) list.push_back(make());
    return list;
  }
  template <class Id>
  Id id() {
    return Id(integer<typename Id::rep>());
  }
  template <class Id>
  Id unique_id() {
    return Id(random_(), random_());
  }
  // Mostly neighbours, as in a batch.
  TaskId task() {
    if (below(4) == 0) return unique_id<TaskId>();
    prefix_low_ += below(3) == 0 ? random_() : 1;
    return TaskId(77, prefix_low_);
  }
  WallTime time() { return WallTime{integer<std::int64_t>()}; }
  Payload payload() { return Payload(text()); }
  template <class Enum>
  Enum any(Enum last) {
    return static_cast<Enum>(below(static_cast<std::uint64_t>(last) + 1));
  }
  Attempt attempt() { return id<Attempt>(); }
  ParamsHash hash() { return ParamsHash{random_(), random_()}; }
  Resources resources() {
    return Resources{integer<std::uint32_t>(), integer<std::uint32_t>(), integer<std::uint64_t>(),
                     list([this] {
                       return NamedResource{text(), integer<std::uint64_t>()};
                     })};
  }
  TaskSpecPtr spec() {
    TaskSpec spec;
    spec.tool = text();
    spec.script = text();
    spec.inline_script = payload();
    spec.priority = integer<std::int32_t>();
    spec.resources = resources();
    spec.limits = TaskLimits{integer<std::uint64_t>(), integer<std::uint32_t>(), 0, 0};
    if (below(2) == 1) {
      spec.limits.queue_time_ms = integer<std::uint64_t>();
      spec.limits.no_progress_ms = integer<std::uint64_t>();
      spec.retry = retry();
    }
    spec.labels = list([this] { return Label{text(), text()}; });
    spec.wait_for_capacity = below(2) == 1;
    if (below(3) == 1) {
      spec.inputs = list([this] {
        return TaskInput{text(), text(), integer<std::uint64_t>(), below(2) == 1};
      });
    }
    return std::make_shared<const TaskSpec>(std::move(spec));
  }
  RetryPolicy retry() {
    RetryPolicy retry{integer<std::uint32_t>(), integer<std::uint32_t>(), integer<std::uint32_t>(),
                      integer<std::uint32_t>(), std::nullopt};
    if (below(2) == 1) retry.max_worker_losses = integer<std::uint32_t>();
    return retry;
  }
  PastAttempt past() {
    return PastAttempt{any(kLastPastKind), id<Epoch>(), attempt(), text(), time(), time(),
                       outcome()};
  }
  std::vector<TaskSpecPtr> specs() {
    auto specs = list([this] { return spec(); });
    if (specs.empty()) specs.push_back(spec());
    return specs;
  }
  std::vector<SubmitItem> submit_items(std::size_t specs) {
    return list([this, specs] {
      return SubmitItem{task(), static_cast<std::uint32_t>(below(specs)), payload(), hash()};
    });
  }
  Outcome outcome() {
    return Outcome{any(kLastTaskState),
                   any(kLastFailureClass),
                   integer<std::int32_t>(),
                   integer<std::int32_t>(),
                   Usage{integer<std::uint64_t>(), integer<std::uint64_t>(),
                         integer<std::uint64_t>(), integer<std::uint64_t>()},
                   text(),
                   payload()};
  }
  TaskAttempt task_attempt() { return TaskAttempt{task(), attempt()}; }
  std::vector<Placement> placements() {
    return list([this] { return Placement{unique_id<PeerUuid>()}; });
  }
  std::vector<std::uint32_t> indices() {
    return list([this] { return integer<std::uint32_t>(); });
  }
  ToolOffer tool() {
    return ToolOffer{text(),        text(),
                     text(),        list([this] { return ScriptOffer{text(), text()}; }),
                     below(2) == 1, below(2) == 1};
  }

 private:
  std::mt19937_64& random_;
  std::uint64_t prefix_low_ = 1000;
};

broker::Record task_image(Samples& s) {
  TaskImage image;
  image.id = s.task();
  image.owner = s.text();
  image.spec = s.spec();
  image.params = s.payload();
  image.params_hash = s.hash();
  image.arrival = s.id<Arrival>();
  if (s.below(2) == 1) image.workflow = s.unique_id<WorkflowId>();
  image.state = s.any(kLastTaskState);
  image.dispatched = s.below(2) == 1;
  image.epoch = s.id<Epoch>();
  image.attempt = s.attempt();
  image.placements = s.placements();
  image.worker_losses = s.integer<std::uint32_t>();
  if (s.below(2) == 1) {
    image.failures = s.integer<std::uint32_t>();
    image.ready_at = s.time();
    image.pasts = s.list([&s] { return s.past(); });
    if (s.below(2) == 1) image.original = s.task();
  }
  image.cancel_requested = s.below(2) == 1;
  image.cancel_grace_ms = s.integer<std::uint32_t>();
  image.submitted = s.time();
  image.started = s.time();
  image.finished = s.time();
  if (s.below(2) == 1) image.outcome = s.outcome();
  image.terminal_lsn = s.id<Lsn>();
  return image;
}

broker::Record workflow_image(Samples& s) {
  return WorkflowImage{s.unique_id<WorkflowId>(),
                       s.text(),
                       s.text(),
                       s.any(kLastOnFailure),
                       s.time(),
                       s.time(),
                       s.id<Lsn>(),
                       s.list([&s] {
                         WorkflowMember member{s.task(), std::nullopt, s.indices()};
                         if (s.below(2) == 1) member.ended = s.any(kLastTaskState);
                         return member;
                       })};
}

broker::Record tasks_submitted(Samples& s) {
  auto specs = s.specs();
  const std::size_t count = specs.size();
  return TasksSubmitted{s.text(), s.time(), s.id<Arrival>(), std::move(specs),
                        s.submit_items(count)};
}

broker::Record tasks_resubmitted(Samples& s) {
  TasksResubmitted record{std::get<TasksSubmitted>(tasks_submitted(s)), {}};
  for (std::size_t i = 0; i < record.tasks.items.size(); ++i) record.originals.push_back(s.task());
  return record;
}

broker::Record workflow_submitted(Samples& s) {
  auto specs = s.specs();
  const std::size_t count = specs.size();
  return WorkflowSubmitted{s.text(),
                           s.time(),
                           s.id<Arrival>(),
                           s.unique_id<WorkflowId>(),
                           s.text(),
                           s.any(kLastOnFailure),
                           std::move(specs),
                           s.submit_items(count),
                           s.list([&s] { return Dependencies{s.indices()}; })};
}

broker::Record finished(Samples& s) {
  return TasksFinished{s.time(), s.list([&s] {
                         return FinishedItem{s.task(), s.attempt(), s.outcome()};
                       })};
}

broker::Record retried(Samples& s) {
  return TasksRetried{s.time(), s.list([&s] {
                        return RetriedItem{s.task(), s.attempt(), s.outcome(), s.time()};
                      })};
}

broker::Record stale(Samples& s) {
  return StaleResults{
      s.time(), s.unique_id<PeerUuid>(), s.list([&s] {
        return ResultItem{AttemptKey{s.task(), s.id<Epoch>(), s.attempt()}, s.outcome()};
      })};
}

}  // namespace

broker::Record random_record(std::mt19937_64& random, std::size_t alternative) {
  Samples s(random);
  const auto attempts = [&s] { return s.list([&s] { return s.task_attempt(); }); };
  // Indexed by a switch over the names, so that a new record cannot be forgotten silently.
  static_assert(std::variant_size_v<broker::Record> == 15, "add the new record below");
  switch (alternative) {
    case 0: return EpochStarted{s.id<Epoch>(), s.unique_id<BrokerUuid>(), s.time()};
    case 1: return ToolsKnown{s.list([&s] { return s.tool(); })};
    case 2:
      return WorkersKnown{s.list([&s] {
        return KnownWorker{s.unique_id<PeerUuid>(), s.text(), s.text(), s.resources()};
      })};
    case 3: return tasks_submitted(s);
    case 4: return workflow_submitted(s);
    case 5: return TasksDispatched{s.id<Epoch>(), s.placements(), attempts()};
    case 6: return TasksStarted{s.time(), attempts()};
    case 7: return TasksRequeued{s.time(), s.any(kLastRequeueCause), attempts()};
    case 8: return retried(s);
    case 9: return tasks_resubmitted(s);
    case 10:
      return CancelRequested{s.time(), s.integer<std::uint32_t>(),
                             s.list([&s] { return s.task(); })};
    case 11: return finished(s);
    case 12: return stale(s);
    case 13: return task_image(s);
    default: return workflow_image(s);
  }
}

broker::Record random_record(std::mt19937_64& random) {
  return random_record(random, random() % std::variant_size_v<broker::Record>);
}

}  // namespace taskpipe::testing
