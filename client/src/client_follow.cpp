// Client: following a stream of changes without gaps.
#include <string_view>
#include <utility>

#include "client/src/call_errors.hpp"
#include "client/src/stream_follower.hpp"

namespace taskpipe {
namespace {

std::optional<Error> check_request(const FollowRequest& request) {
  if (!request.stream.empty() && !request.tasks.empty()) {
    return Error{ErrorCode::invalid, "give a stream or tasks, not both", "tasks"};
  }
  if (request.stream.empty() && request.tasks.empty()) {
    return Error{ErrorCode::invalid, "name a stream, or at least one task", "stream"};
  }
  if (request.tasks.size() > limits::kMaxBatchItems) {
    return Error{ErrorCode::too_big,
                 "more than " + std::to_string(limits::kMaxBatchItems) +
                     " tasks; follow their tool or workflow",
                 "tasks"};
  }
  if (request.stream.size() > limits::kMaxTopicBytes) {
    return Error{ErrorCode::too_big, "a stream's name has at most 200 bytes", "stream"};
  }
  return std::nullopt;
}

}  // namespace

CallResult<std::uint64_t> Client::follow(const FollowRequest& request,
                                         const FollowCallback& on_changes,
                                         const CallOptions& options) {
  if (auto error = check_request(request))
    return tl::unexpected(client::refused(std::move(*error)));
  return client::StreamFollower(*impl_, request, on_changes).run(options);
}

}  // namespace taskpipe
