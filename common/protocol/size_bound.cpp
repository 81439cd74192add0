#include <algorithm>

#include "common/model/limits.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/utf8.hpp"

namespace taskpipe::protocol {
namespace {

// The longest forms of msgpack: an integer or float with its tag, and the head of a text, bin,
// array or map.
constexpr std::size_t kNumber = 9;
constexpr std::size_t kHead = 5;
constexpr std::size_t kId = 2 + kUniqueIdBytes;
constexpr std::size_t kKey = 1;

constexpr std::size_t kAttemptKey = kHead + kId + 2 * kNumber;

std::size_t text(const std::string& value) { return kHead + value.size(); }

// As written: repaired where it is no UTF-8 (three bytes for one at worst), then cut.
std::size_t prose(const std::string& value) {
  const std::size_t repaired = is_utf8(value) ? value.size() : 3 * value.size();
  return kHead + std::min(repaired, limits::kMaxTextBytes);
}

// Inline or as a blob (then its index and the frame's own overhead in ZMTP).
std::size_t payload(const Payload& value) { return kNumber + value.size(); }

std::size_t metrics(const std::vector<std::pair<std::string, double>>& list) {
  std::size_t size = kHead;
  for (const auto& entry : list) size += text(entry.first) + kNumber;
  return size;
}

std::size_t outcome(const Outcome& value) {
  constexpr std::size_t kUsage = kHead + 4 * kNumber;
  return kHead + 4 * kNumber + kUsage + prose(value.reason) + payload(value.report);
}

}  // namespace

std::size_t encoded_size_bound(const TaskSpec& spec) {
  constexpr std::size_t kFields = 10;
  constexpr std::size_t kResources = kHead + 4 * kKey + 3 * kNumber + kHead;
  constexpr std::size_t kTaskLimits = kHead + 4 * (kKey + kNumber);
  constexpr std::size_t kRetry = kHead + 5 * (kKey + kNumber);
  constexpr std::size_t kInput = kHead + 4 * kKey + 2 * kNumber;
  constexpr std::size_t kSmallFields = 2 * kNumber;  // priority and wait_for_capacity
  std::size_t size =
      kHead + kFields * kKey + kResources + kTaskLimits + kRetry + kSmallFields + 2 * kHead;
  size += text(spec.tool) + text(spec.script) + payload(spec.inline_script);
  for (const auto& label : spec.labels) size += kHead + text(label.key) + text(label.value);
  for (const auto& resource : spec.resources.named) {
    size += kHead + text(resource.name) + kNumber;
  }
  for (const auto& input : spec.inputs) size += kInput + text(input.name) + text(input.sha256);
  return size;
}

std::size_t encoded_size_bound(const SubmitItem& item) {
  return kHead + 2 * kId + kNumber + payload(item.params);
}

std::size_t encoded_size_bound(const TaskItem& item) {
  return kHead + kAttemptKey + kNumber + kHead + item.placements.size() * kId +
         payload(item.params);
}

std::size_t encoded_size_bound(const DoneTask& task) {
  return kHead + kAttemptKey + outcome(task.outcome) + text(task.worker) + 3 * kNumber;
}

std::size_t encoded_size_bound(const ResultItem& item) {
  return kHead + kAttemptKey + outcome(item.outcome);
}

std::size_t encoded_size_bound(const ProgressItem& item) {
  return kHead + kAttemptKey + kNumber + prose(item.message) + metrics(item.metrics);
}

std::size_t encoded_size_bound(const LogItem& item) {
  return kHead + kAttemptKey + 2 * kNumber + payload(item.data);
}

}  // namespace taskpipe::protocol
