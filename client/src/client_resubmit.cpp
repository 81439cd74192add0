// Client: submitting dead letters again.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/client_impl.hpp"
#include "common/process/clock.hpp"
#include "common/process/random.hpp"

namespace taskpipe {
namespace {

// What the broker's code says, of an item for which it gave no text of its own.
ClientError refusal(ErrorCode code, const TaskId& original) {
  const std::string what = "task " + original.to_string();
  if (code != ErrorCode::invalid) return client::refused(code, what);
  return client::refused(Error{
      code, what + " has not ended, or has succeeded; only what failed is submitted again", "ids"});
}

// Appends what became of the items that were asked for together, the first of which is at `first`.
void read_ack(const ResubmitAck& ack, std::span<const ResubmitItem> asked, std::size_t first,
              std::vector<BatchError::Item>& failed) {
  std::unordered_map<TaskId, ErrorCode> codes;
  for (const TaskCode& item : ack.items) codes.emplace(item.id, item.code);
  // The text is that of the first refusal, in the order of the acknowledgement.
  const auto told = std::find_if(ack.items.begin(), ack.items.end(),
                                 [](const TaskCode& item) { return item.code != ErrorCode::ok; });
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto found = codes.find(asked[i].id);
    const ErrorCode code = found == codes.end() ? ErrorCode::malformed : found->second;
    if (code == ErrorCode::ok) continue;
    const bool has_text = ack.error && told != ack.items.end() && told->id == asked[i].id;
    failed.push_back(
        {first + i, has_text ? client::refused(*ack.error) : refusal(code, asked[i].original)});
  }
}

}  // namespace

tl::expected<std::vector<TaskId>, BatchError> Client::resubmit(std::span<const TaskId> ids,
                                                               const CallOptions& options) {
  const TaskIdPrefix prefix = process::new_task_id_prefix(process::read_clock().wall);
  std::vector<ResubmitItem> items;
  std::vector<TaskId> fresh;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    fresh.push_back(prefix.id(static_cast<std::uint32_t>(i)));
    items.push_back({ids[i], fresh.back()});
  }
  std::vector<BatchError::Item> failed;
  for (std::size_t first = 0; first < items.size(); first += limits::kMaxBatchItems) {
    const auto chunk =
        std::span(items).subspan(first, std::min(items.size() - first, limits::kMaxBatchItems));
    auto ack = impl_->ask<ResubmitAck>(Resubmit{{chunk.begin(), chunk.end()}}, options);
    if (ack) {
      read_ack(*ack, chunk, first, failed);
      continue;
    }
    for (std::size_t i = first; i < items.size(); ++i) {
      // Only of these it is not known whether they have arrived.
      const bool doubtful = i < first + chunk.size() && ack.error().failure != CallFailure::refused;
      failed.push_back(
          {i, doubtful ? client::unacknowledged_again(ack.error(), items[i].id) : ack.error()});
    }
    break;
  }
  if (failed.empty()) return fresh;
  return tl::unexpected(BatchError{std::move(fresh), std::move(failed)});
}

CallResult<TaskId> Client::resubmit(const TaskId& id, const CallOptions& options) {
  auto ids = resubmit(std::span(&id, 1), options);
  if (ids) return ids->front();
  return tl::unexpected(ids.error().first());
}

}  // namespace taskpipe
