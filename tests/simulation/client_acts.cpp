// What the user of a simulated client does.
#include <algorithm>
#include <utility>

#include "common/protocol/codec.hpp"
#include "tests/simulation/client_process.hpp"
#include "tests/simulation/tool.hpp"

namespace taskpipe::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMostInBatch = 20;
constexpr Millis kSubmitTimeout{30s};  // of a run
constexpr std::uint64_t kMostInWorkflow = 8;
constexpr std::uint64_t kMostInLargeWorkflow = 600;  // travels in several parts

fact::Terms terms_of(const TaskSpec& spec) {
  return {spec.retry.max_attempts, Millis(spec.retry.backoff_ms), Millis(spec.retry.max_backoff_ms),
          Millis(spec.limits.queue_time_ms)};
}

}  // namespace

void ClientProcess::act() {
  if (!running()) return;
  const std::uint64_t draw = random_.below(100);
  if (draw < 45) {
    submit_batch();
  } else if (draw < 60) {
    submit_workflow();
  } else if (draw < 68) {
    submit_again();
  } else if (draw < 85) {
    cancel_some();
  } else {
    ask_some();
  }
}

client::PreparedTask ClientProcess::prepare(bool short_only) {
  auto spec = std::make_shared<TaskSpec>();
  const std::uint64_t draw = short_only ? 0 : random_.below(1000);
  spec->tool = kTools[draw < 500 ? 0 : draw < 897 ? 1 : draw < 997 ? 2 : 3].name;
  spec->priority = static_cast<std::int32_t>(random_.below(4)) - 1;
  if (random_.chance(100)) spec->resources.cpus = 2;
  if (random_.chance(300)) {
    spec->retry.max_attempts = static_cast<std::uint32_t>(random_.between(2, 4));
    spec->retry.backoff_ms = static_cast<std::uint32_t>(random_.below(5000));
    spec->retry.max_backoff_ms = 2 * spec->retry.backoff_ms;
  }
  if (random_.chance(30)) spec->limits.queue_time_ms = random_.between(1000, 60'000);
  auto prepared = std::make_shared<client::PreparedSpec>();
  // Of any kind, as long as it does not depend on the standard library.
  prepared->content_hash = spec->tool.size() * 31 + spec->resources.cpus * 7 +
                           static_cast<std::size_t>(spec->priority + 1) +
                           std::size_t{spec->retry.max_attempts} * 1009 +
                           std::size_t{spec->retry.backoff_ms} * 9176 +
                           static_cast<std::size_t>(spec->limits.queue_time_ms) * 131'071;
  prepared->encoded_bytes = protocol::encoded_size_bound(*spec);
  prepared->spec = std::move(spec);
  client::PreparedTask task;
  task.spec = std::move(prepared);
  task.params = Payload("\x80");  // an empty map
  task.params_hash = {1, 2};
  return task;
}

void ClientProcess::submit_batch() {
  const TaskIdPrefix prefix{static_cast<std::uint64_t>(world_.scheduler.now().wall.unix_ms),
                            (std::uint64_t{node_} << 32U) + ++batches_};
  const auto count = static_cast<std::uint32_t>(random_.between(1, kMostInBatch));
  client::PreparedTask task = prepare();
  client::command::SubmitTasks submit;
  Call call;
  call.submits = true;
  const bool tells_ids_at_once = batches_ % 2 == 0;  // as submit_async does, and submit does not
  for (std::uint32_t i = 0; i < count; ++i) {
    if (random_.chance(200)) task = prepare();
    task.id = prefix.id(i);
    task.id_told = tells_ids_at_once;
    call.tasks.push_back(task.id);
    notebook_[task.id].task = task;
    world_.record(fact::Submitted{task.id, {}, false, terms_of(*task.spec->spec)});
    submit.tasks.push_back(task);
  }
  const auto timeout = random_.chance(100) ? std::optional<Millis>(2s) : std::nullopt;
  if (random_.chance(400)) {
    call.runs = true;
    begin(client::command::RunTasks{std::move(submit.tasks), kSubmitTimeout}, std::move(call),
          timeout);
  } else {
    begin(std::move(submit), std::move(call), timeout);
  }
}

void ClientProcess::submit_workflow() {
  const TaskIdPrefix prefix{static_cast<std::uint64_t>(world_.scheduler.now().wall.unix_ms),
                            (std::uint64_t{node_} << 32U) + ++batches_};
  const bool large = random_.chance(10);
  const auto count = static_cast<std::uint32_t>(
      random_.between(2, large ? kMostInLargeWorkflow : kMostInWorkflow));
  const bool sequential = !large && random_.chance(500);
  client::command::UploadWorkflow upload;
  upload.id = WorkflowId(prefix.id(0).high(), prefix.id(0).low());
  upload.on_failure =
      random_.chance(500) ? OnFailure::cancel_dependents : OnFailure::run_dependents;
  Call call;
  call.submits = true;
  for (std::uint32_t i = 0; i < count; ++i) {
    client::PreparedTask task = prepare(large);
    task.id = prefix.id(i);
    Dependencies dependencies;
    for (std::uint32_t before = large ? i : 0; before < i; ++before) {
      const bool wanted = sequential ? before + 1 == i : random_.chance(300);
      if (wanted) dependencies.after.push_back(before);
    }
    fact::Submitted submitted{
        task.id, {}, upload.on_failure == OnFailure::cancel_dependents, terms_of(*task.spec->spec)};
    for (const auto before : dependencies.after) submitted.after.push_back(prefix.id(before));
    world_.record(std::move(submitted));
    Page& page = notebook_[task.id];
    page.task = task;
    page.in_workflow = true;
    call.tasks.push_back(task.id);
    upload.tasks.push_back(std::move(task));
    upload.dependencies.push_back(std::move(dependencies));
  }
  begin(std::move(upload), std::move(call), std::nullopt);
}

// As a user does who does not know whether it went through: the same id cannot run twice.
void ClientProcess::submit_again() {
  const auto suits = [](const Page& page) {
    const bool knows_id = page.task.id_told || page.acknowledged || page.doubtful;
    return knows_id && !page.refused && !page.in_workflow;
  };
  for (const TaskId& id : pick(5, suits)) {
    Page& page = notebook_.at(id);
    page.doubtful = true;  // its first submit may still be on its way
    client::PreparedTask task = page.task;
    task.id_given = true;
    Call call{{id}, {}, true, false};
    begin(client::command::SubmitTasks{{std::move(task)}}, std::move(call), std::nullopt);
  }
}

void ClientProcess::cancel_some() {
  Cancel cancel;
  cancel.tasks = pick(3, [](const Page& page) { return !page.refused; });
  cancel.grace_ms = static_cast<std::uint32_t>(random_.below(2000));
  if (cancel.tasks.empty()) return;
  for (const TaskId& id : cancel.tasks) world_.record(fact::CancelAsked{id});
  Call call{cancel.tasks, {}, false, true};
  begin(client::command::Ask{std::move(cancel)}, std::move(call), Millis(30s));
}

void ClientProcess::ask_some() {
  Query query;
  query.filter.tasks = pick(20, [](const Page& page) { return page.acknowledged; });
  query.limit = 100;
  if (query.filter.tasks.empty()) return;
  Call call{query.filter.tasks, {}, false, false};
  begin(client::command::Ask{std::move(query)}, std::move(call), Millis(30s));
}

// Mostly recent ones, which are under way; some old ones, which only the history knows.
std::vector<TaskId> ClientProcess::pick(std::size_t most, bool (*suits)(const Page&)) {
  std::vector<TaskId> candidates;
  for (const auto& [id, page] : notebook_) {
    if (suits(page)) candidates.push_back(id);
  }
  std::vector<TaskId> picked;
  if (candidates.empty()) return picked;
  const std::size_t recent = std::min<std::size_t>(candidates.size(), 30);
  for (std::size_t i = random_.between(1, most); i > 0; --i) {
    const std::size_t from = random_.chance(800) ? candidates.size() - recent : 0;
    const TaskId id = candidates[from + random_.below(candidates.size() - from)];
    if (std::find(picked.begin(), picked.end(), id) == picked.end()) picked.push_back(id);
  }
  return picked;
}

}  // namespace taskpipe::simulation
