// Client: asking for states, tools, workers and health; cancelling.
#include <algorithm>
#include <iterator>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/client_impl.hpp"
#include "client/src/inbox.hpp"
#include "common/protocol/value_codec.hpp"

namespace taskpipe {
namespace {

// A message carries so many ids.
template <class Handle>
CallResult<void> in_chunks(std::span<const TaskId> ids, const Handle& handle) {
  while (!ids.empty()) {
    const auto chunk = ids.first(std::min(ids.size(), limits::kMaxBatchItems));
    CallResult<void> done = handle(chunk);
    if (!done) return done;
    ids = ids.subspan(chunk.size());
  }
  return {};
}

// Unanswered ones of a call. Each answer may be as large as a message.
constexpr std::size_t kMostQuestions = 32;

client::command::Ask params_question(const TaskId& id) {
  Query query;
  query.filter.tasks.push_back(id);
  query.with_params = true;
  return client::command::Ask{std::move(query)};
}

CallResult<ValueMap> params_in(client::Delivery&& answer, const TaskId& id) {
  if (auto* failed = std::get_if<client::delivery::Failed>(&answer)) {
    return tl::unexpected(std::move(failed->error));
  }
  const auto& rows = std::get<Rows>(std::get<client::delivery::Answered>(answer).reply).rows;
  if (rows.empty() || !rows.front().params) {
    return tl::unexpected(client::refused(ErrorCode::unknown_task, "task " + id.to_string()));
  }
  auto params = protocol::decode_params(rows.front().params->bytes());
  if (!params) return tl::unexpected(client::refused(std::move(params.error())));
  return std::move(*params);
}

// Follows the cursors of a listing to its end.
template <class Row, class Reply, class Ask>
CallResult<std::vector<Row>> all_pages(std::vector<Row> Reply::*rows, const Ask& ask) {
  std::vector<Row> all;
  std::string cursor;
  for (;;) {
    auto page = ask(cursor);
    if (!page) return tl::unexpected(std::move(page.error()));
    std::vector<Row>& more = (*page).*rows;
    std::move(more.begin(), more.end(), std::back_inserter(all));
    if (page->next.empty() || page->next == cursor) return all;
    cursor = std::move(page->next);
  }
}

CallResult<std::uint32_t> check_grace(Millis grace) {
  if (grace < Millis(0) || grace > Millis(limits::kMaxGraceMs)) {
    return tl::unexpected(client::refused(
        Error{ErrorCode::invalid, "grace is negative or more than an hour", "grace_ms"}));
  }
  return static_cast<std::uint32_t>(grace.count());
}

}  // namespace

CallResult<TaskRow> Client::status(const TaskId& id, const CallOptions& options) {
  auto statuses = status(std::span(&id, 1), options);
  if (!statuses) return tl::unexpected(std::move(statuses.error()));
  if (statuses->rows.empty()) {
    return tl::unexpected(client::refused(ErrorCode::unknown_task, "task " + id.to_string()));
  }
  return std::move(statuses->rows.front());
}

CallResult<TaskStatuses> Client::status(std::span<const TaskId> ids, const CallOptions& options) {
  TaskStatuses result;
  auto done = in_chunks(ids, [&](std::span<const TaskId> chunk) -> CallResult<void> {
    Query query;
    query.filter.tasks.assign(chunk.begin(), chunk.end());
    query.limit = static_cast<std::uint32_t>(chunk.size());
    auto rows = impl_->ask<Rows>(std::move(query), options);
    if (!rows) return tl::unexpected(std::move(rows.error()));
    std::unordered_map<TaskId, TaskRow> by_id;
    for (auto& row : rows->rows) by_id.emplace(row.id, std::move(row));
    for (const TaskId& id : chunk) {
      const auto found = by_id.find(id);
      if (found == by_id.end()) {
        result.unknown.push_back(id);
      } else {
        result.rows.push_back(found->second);
      }
    }
    return {};
  });
  if (!done) return tl::unexpected(std::move(done.error()));
  return result;
}

CallResult<TaskRow> Client::inspect(const TaskId& id, const CallOptions& options) {
  Query query;
  query.filter.tasks.push_back(id);
  query.limit = 1;
  query.with_attempts = true;
  auto rows = impl_->ask<Rows>(std::move(query), options);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  if (rows->rows.empty()) {
    return tl::unexpected(client::refused(ErrorCode::unknown_task, "task " + id.to_string()));
  }
  return std::move(rows->rows.front());
}

CallResult<ValueMap> Client::params(const TaskId& id, const CallOptions& options) {
  auto params = this->params(std::span(&id, 1), options);
  if (!params) return tl::unexpected(std::move(params.error()));
  return std::move(params->front());
}

CallResult<std::vector<ValueMap>> Client::params(std::span<const TaskId> ids,
                                                 const CallOptions& options) {
  // A question takes one id, since params may fill a message: some are on their way at a time.
  struct Questions {
    Impl& impl;
    std::unordered_map<client::CallId, std::size_t> open{};  // to the place of the answer
    ~Questions() {
      for (const auto& [call, place] : open) impl.forget(call);
    }
  } questions{*impl_};
  const auto inbox = std::make_shared<client::Inbox>();
  std::vector<client::Inbox::Item> items;
  std::vector<ValueMap> result(ids.size());
  std::size_t asked = 0;
  while (asked < ids.size() || !questions.open.empty()) {
    for (; asked < ids.size() && questions.open.size() < kMostQuestions; ++asked) {
      const client::CallId call = impl_->new_call();
      auto begun = impl_->begin(
          client::CallStart{call, params_question(ids[asked]), impl_->request_timeout(options)},
          inbox);
      if (!begun) return tl::unexpected(std::move(begun.error()));
      questions.open.emplace(call, asked);
    }
    if (!inbox->take(items, options.stop, options.keep_waiting)) {
      return tl::unexpected(client::stopped());
    }
    for (auto& item : items) {
      const auto question = questions.open.find(item.call);
      if (question == questions.open.end()) continue;
      const std::size_t place = question->second;
      questions.open.erase(question);
      auto params = params_in(std::move(item.what), ids[place]);
      if (!params) return tl::unexpected(std::move(params.error()));
      result[place] = std::move(*params);
    }
  }
  return result;
}

// --- Listing

struct TaskListing::State {
  std::shared_ptr<Client::Impl> impl;
  Query query;
  CallOptions options;
  std::vector<TaskRow> page;
  std::size_t position = 0;
  // What was listed from the broker's memory may have gone to the history before the listing came
  // there, and is not told twice.
  std::unordered_set<TaskId> told;
  bool at_end = false;  // no further page
  std::optional<ClientError> error;

  // Pages may be empty although more follow: the broker bounds its work per question.
  void next_page() {
    auto rows = impl->ask<Rows>(query, options);
    if (!rows) {
      error = std::move(rows.error());
      return;
    }
    page = std::move(rows->rows);
    position = 0;
    query.cursor = std::move(rows->next);
    at_end = query.cursor.empty();
  }
};

TaskListing::TaskListing(std::unique_ptr<State> state) : state_(std::move(state)) {}
TaskListing::TaskListing(TaskListing&&) noexcept = default;
TaskListing& TaskListing::operator=(TaskListing&&) noexcept = default;
TaskListing::~TaskListing() = default;

const TaskRow* TaskListing::next() {
  State& state = *state_;
  for (;;) {
    while (state.position == state.page.size()) {
      if (state.at_end || state.error) return nullptr;
      state.next_page();
    }
    const TaskRow& row = state.page[state.position++];
    if (state.told.insert(row.id).second) return &row;
  }
}

const std::optional<ClientError>& TaskListing::error() const { return state_->error; }

TaskListing Client::list(QueryFilter filter, const CallOptions& options) {
  auto state = std::make_unique<TaskListing::State>();
  state->impl = impl_;
  state->query.filter = std::move(filter);
  state->query.limit = limits::kListPageRows;
  state->options = options;
  return TaskListing(std::move(state));
}

TaskListing Client::dead_letters(QueryFilter filter, const CallOptions& options) {
  filter.dead = true;
  return list(std::move(filter), options);
}

// --- Cancelling

CallResult<bool> Client::cancel(const TaskId& id, Millis grace, const CallOptions& options) {
  auto codes = cancel(std::span(&id, 1), grace, options);
  if (!codes) return tl::unexpected(std::move(codes.error()));
  const CancelCode& code = codes->front();
  if (code.code == ErrorCode::ok) return code.was_live;
  return tl::unexpected(client::refused(code.code, "task " + id.to_string()));
}

CallResult<std::vector<CancelCode>> Client::cancel(std::span<const TaskId> ids, Millis grace,
                                                   const CallOptions& options) {
  const auto grace_ms = check_grace(grace);
  if (!grace_ms) return tl::unexpected(grace_ms.error());
  std::vector<CancelCode> result;
  auto done = in_chunks(ids, [&](std::span<const TaskId> chunk) -> CallResult<void> {
    Cancel cancel;
    cancel.tasks.assign(chunk.begin(), chunk.end());
    cancel.grace_ms = *grace_ms;
    auto ack = impl_->ask<CancelAck>(std::move(cancel), options);
    if (!ack) return tl::unexpected(std::move(ack.error()));
    std::unordered_map<TaskId, CancelCode> by_id;
    for (const auto& code : ack->items) by_id.emplace(code.id, code);
    for (const TaskId& id : chunk) {
      const auto found = by_id.find(id);
      result.push_back(found == by_id.end() ? CancelCode{id, ErrorCode::unknown_task, false}
                                            : found->second);
    }
    return {};
  });
  if (!done) return tl::unexpected(std::move(done.error()));
  return result;
}

CallResult<std::vector<CancelCode>> Client::cancel_workflow(const WorkflowId& id, Millis grace,
                                                            const CallOptions& options) {
  const auto grace_ms = check_grace(grace);
  if (!grace_ms) return tl::unexpected(grace_ms.error());
  Cancel cancel;
  cancel.workflows.push_back(id);
  cancel.grace_ms = *grace_ms;
  auto ack = impl_->ask<CancelAck>(std::move(cancel), options);
  if (!ack) return tl::unexpected(std::move(ack.error()));
  return std::move(ack->items);
}

// --- The cluster

CallResult<std::vector<ToolRow>> Client::tools(const CallOptions& options) {
  return all_pages<ToolRow>(&ToolsReply::tools, [&](const std::string& cursor) {
    return impl_->ask<ToolsReply>(ToolsRequest{cursor}, options);
  });
}

CallResult<std::vector<WorkerRow>> Client::workers(const CallOptions& options) {
  return all_pages<WorkerRow>(&WorkersReply::workers, [&](const std::string& cursor) {
    return impl_->ask<WorkersReply>(WorkersRequest{cursor}, options);
  });
}

CallResult<HealthReply> Client::health(const CallOptions& options) {
  return impl_->ask<HealthReply>(HealthRequest{}, options);
}

}  // namespace taskpipe
