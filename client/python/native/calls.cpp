// Asking and cancelling; logs; listings.
#include "client/python/native/calls.hpp"

#include <unistd.h>

#include "client/python/native/errors.hpp"
#include "client/python/native/records.hpp"
#include "client/python/native/requests.hpp"
#include "client/python/native/values.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::python {
namespace nb = nanobind;
namespace {

Texts to_texts(const std::vector<TaskId>& ids) {
  Texts texts;
  texts.reserve(ids.size());
  for (const TaskId& id : ids) texts.push_back(id.to_string());
  return texts;
}

nb::list to_tuples(const std::vector<CancelCode>& codes) {
  nb::list list;
  for (const auto& code : codes) {
    list.append(nb::make_tuple(code.id.to_string(), to_python(name_of(code.code)), code.was_live));
  }
  return list;
}

// Waits for a call with a result, or raises.
template <class Call>
auto ask(TimeoutMs timeout, const Call& call, const Stop* stop = nullptr) {
  Attention attention(timeout, stop);
  auto result = attention.wait_for(call);
  if (!result) raise(result.error());
  return std::move(*result);
}

}  // namespace

nb::dict connect(BoundClient& bound, TimeoutMs timeout) {
  const auto client = bound.client();
  return to_dict(ask(timeout, [&](const CallOptions& o) { return client->connect(o); }));
}

std::pair<nb::list, Texts> statuses(BoundClient& bound, const Texts& ids, TimeoutMs timeout) {
  const auto tasks = to_task_ids(ids);
  const auto client = bound.client();
  const auto found =
      ask(timeout, [&](const CallOptions& o) { return client->status(std::span(tasks), o); });
  return {to_list(found.rows), to_texts(found.unknown)};
}

nb::dict inspect(BoundClient& bound, const std::string& id, TimeoutMs timeout) {
  const auto task = to_task_id(id);
  const auto client = bound.client();
  return to_dict(ask(timeout, [&](const CallOptions& o) { return client->inspect(task, o); }));
}

nb::list params(BoundClient& bound, const Texts& ids, TimeoutMs timeout) {
  const auto tasks = to_task_ids(ids);
  const auto client = bound.client();
  auto found =
      ask(timeout, [&](const CallOptions& o) { return client->params(std::span(tasks), o); });
  nb::list list;
  for (ValueMap& params : found) list.append(to_python(Value(std::move(params))));
  return list;
}

nb::list cancel(BoundClient& bound, const Texts& ids, std::int64_t grace_ms, TimeoutMs timeout) {
  const auto tasks = to_task_ids(ids);
  const auto client = bound.client();
  return to_tuples(ask(timeout, [&](const CallOptions& o) {
    return client->cancel(std::span(tasks), Millis(grace_ms), o);
  }));
}

nb::list cancel_workflow(BoundClient& bound, const std::string& id, std::int64_t grace_ms,
                         TimeoutMs timeout) {
  const auto workflow = to_workflow_id(id);
  const auto client = bound.client();
  return to_tuples(ask(timeout, [&](const CallOptions& o) {
    return client->cancel_workflow(workflow, Millis(grace_ms), o);
  }));
}

nb::list tools(BoundClient& bound, TimeoutMs timeout) {
  const auto client = bound.client();
  return to_list(ask(timeout, [&](const CallOptions& o) { return client->tools(o); }));
}

nb::list workers(BoundClient& bound, TimeoutMs timeout) {
  const auto client = bound.client();
  return to_list(ask(timeout, [&](const CallOptions& o) { return client->workers(o); }));
}

nb::dict health(BoundClient& bound, TimeoutMs timeout) {
  const auto client = bound.client();
  return to_dict(ask(timeout, [&](const CallOptions& o) { return client->health(o); }));
}

std::pair<std::uint64_t, bool> fetch_log(BoundClient& bound, const std::string& id, bool of_stderr,
                                         std::uint64_t offset, bool follow, nb::callable on_chunk,
                                         TimeoutMs timeout, const Stop* stop) {
  const auto task = to_task_id(id);
  const auto client = bound.client();
  const auto pass_on = [&](const LogChunk& chunk) {
    const nb::gil_scoped_acquire acquired;
    on_chunk(chunk.offset, nb::bytes(chunk.data.data(), chunk.data.size()), chunk.attempt.value());
  };
  const auto stream = of_stderr ? LogStream::err : LogStream::out;
  const auto end = ask(
      timeout,
      [&](const CallOptions& o) {
        return client->fetch_log(task, stream, offset, follow, pass_on, o);
      },
      stop);
  return {end.next_offset, end.complete};
}

void fetch_artifact(BoundClient& bound, const std::string& id, const std::string& name,
                    const std::string& path, std::optional<nb::callable> on_progress,
                    TimeoutMs timeout) {
  const auto task = to_task_id(id);
  const auto client = bound.client();
  const auto pass_on = [&](const FileTransfer& transfer) {
    if (!on_progress) return;
    const nb::gil_scoped_acquire acquired;
    (*on_progress)(transfer.done_bytes, transfer.size_bytes);
  };
  ask(timeout,
      [&](const CallOptions& o) { return client->fetch_artifact(task, name, path, pass_on, o); });
}

BoundListing::BoundListing(BoundClient& bound, QueryFilter filter, TimeoutMs timeout)
    : process_(::getpid()),
      attention_(timeout),
      listing_(bound.client()->list(std::move(filter), attention_.options())) {}

nb::list BoundListing::next_page() {
  if (process_ != ::getpid()) {
    raise(
        ClientError{CallFailure::closed,
                    Error{ErrorCode::ok, "the listing belongs to the process before the fork", ""},
                    {}});
  }
  std::vector<TaskRow> rows;
  const bool failed = attention_.wait_for([&](const CallOptions&) {
    while (rows.size() < limits::kListPageRows) {
      const TaskRow* const row = listing_.next();
      if (row == nullptr) break;
      rows.push_back(*row);
    }
    return listing_.error().has_value();
  });
  if (failed && rows.empty()) raise(*listing_.error());
  return to_list(rows);
}

}  // namespace taskpipe::python
