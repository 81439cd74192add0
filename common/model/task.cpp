#include "common/model/task.hpp"

#include <algorithm>

#include "common/model/limits.hpp"

namespace taskpipe {
namespace {

constexpr std::array<std::string_view, 7> kStateNames = {"PENDING", "RUNNING", "SUCCESS", "FAILURE",
                                                         "timeout", "error",   "REVOKED"};
static_assert(kStateNames.size() == static_cast<std::size_t>(kLastTaskState) + 1);

constexpr std::array<std::string_view, 9> kFailureNames = {
    "none", "exit", "signal", "oom", "timeout", "worker_lost", "spawn", "cancelled", "rejected"};
static_assert(kFailureNames.size() == static_cast<std::size_t>(kLastFailureClass) + 1);

constexpr std::array<std::string_view, 3> kPastKindNames = {"retried", "lost", "late"};
static_assert(kPastKindNames.size() == static_cast<std::size_t>(kLastPastKind) + 1);

Error invalid(std::string field, std::string_view why) {
  return Error{ErrorCode::invalid, field + " " + std::string(why), std::move(field)};
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

// A script is named relative to its tool's folders; it must not leave them.
bool climbs_out(std::string_view path) {
  if (path.starts_with('/')) return true;
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return false;
}

std::optional<Error> check_name(std::string_view field, std::string_view name, std::size_t bound) {
  if (name.empty()) return invalid(std::string(field), "is empty; give it a name");
  if (name.size() > bound) {
    return invalid(std::string(field), "is longer than " + std::to_string(bound) + " bytes");
  }
  if (has_control_character(name)) {
    return invalid(std::string(field), "contains control characters");
  }
  return std::nullopt;
}

// The first key that stands twice, or empty. Lists are short: limits bound them.
template <class Item>
std::string_view repeated(const std::vector<Item>& items, std::string Item::*key) {
  std::vector<std::string_view> keys;
  keys.reserve(items.size());
  for (const Item& item : items) keys.push_back(item.*key);
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  return twice == keys.end() ? std::string_view() : *twice;
}

std::optional<Error> check_labels(const std::vector<Label>& labels) {
  if (labels.size() > limits::kMaxLabels) {
    return invalid("labels", "has more than 64 entries");
  }
  for (const auto& label : labels) {
    if (auto error = check_name("labels.key", label.key, limits::kMaxNameBytes)) return error;
    if (label.value.size() > limits::kMaxTextBytes) {
      return invalid("labels." + label.key, "is longer than 1024 bytes");
    }
  }
  if (const auto key = repeated(labels, &Label::key); !key.empty()) {
    return invalid("labels." + std::string(key), "is given twice; give it one value");
  }
  return std::nullopt;
}

std::optional<Error> check_inputs(const std::vector<TaskInput>& inputs) {
  if (inputs.size() > limits::kMaxInputs) return invalid("inputs", "has more than 256 entries");
  for (const auto& input : inputs) {
    if (!is_plain_relative_path(input.name) || input.name.size() > limits::kMaxPathBytes) {
      return invalid("inputs.name", "'" + input.name +
                                        "' must be a relative path without empty, '.' or '..' "
                                        "parts, of at most 4096 bytes");
    }
    if (!is_sha256_hex(input.sha256)) {
      return invalid("inputs." + input.name, "has no SHA-256 of 64 lower-case hex digits");
    }
  }
  if (const auto name = repeated(inputs, &TaskInput::name); !name.empty()) {
    return invalid("inputs." + std::string(name), "is given twice; give each file its own name");
  }
  return std::nullopt;
}

std::optional<Error> check_resources(const Resources& resources) {
  if (resources.named.size() > limits::kMaxNamedResources) {
    return invalid("resources.named", "has more than 32 entries");
  }
  for (const auto& resource : resources.named) {
    if (auto error = check_name("resources.named", resource.name, limits::kMaxNameBytes)) {
      return error;
    }
  }
  if (const auto name = repeated(resources.named, &NamedResource::name); !name.empty()) {
    return invalid("resources.named." + std::string(name), "is given twice; add the amounts up");
  }
  return std::nullopt;
}

std::optional<Error> check_limits(const TaskLimits& limits) {
  if (limits.grace_ms > limits::kMaxGraceMs) return invalid("grace_ms", "is more than an hour");
  if (limits.queue_time_ms > limits::kMaxQueueTimeMs) {
    return invalid("queue_time_ms",
                   "is more than a year; 0 lets the task wait as long as it takes");
  }
  if (limits.no_progress_ms > limits::kMaxNoProgressMs) {
    return invalid("no_progress_ms", "is more than a year; 0 lets the task be silent");
  }
  return std::nullopt;
}

std::optional<Error> check_retry(const RetryPolicy& retry) {
  if (retry.max_attempts == 0 || retry.max_attempts > limits::kMaxTaskAttempts) {
    return invalid("retry.max_attempts",
                   "is " + std::to_string(retry.max_attempts) + "; give 1 (no retry) to 100");
  }
  if ((retry.failures & ~kRetryableFailures) != 0) {
    return invalid("retry.failures",
                   "names a class that is not retried; choose among exit, signal, oom, timeout, "
                   "spawn, rejected");
  }
  if (retry.max_backoff_ms > limits::kMaxBackoffMs) {
    return invalid("retry.max_backoff_ms", "is more than a day");
  }
  if (retry.backoff_ms > retry.max_backoff_ms) {
    return invalid("retry.backoff_ms", "is more than retry.max_backoff_ms, the longest wait");
  }
  if (retry.max_worker_losses.value_or(0) > limits::kMaxTaskWorkerLosses) {
    return invalid("retry.max_worker_losses", "is more than 100");
  }
  return std::nullopt;
}

}  // namespace

bool is_plain_relative_path(std::string_view path) {
  if (path.empty() || has_control_character(path)) return false;
  while (true) {
    const std::size_t end = path.find('/');
    const std::string_view part = path.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == std::string_view::npos) return true;
    path.remove_prefix(end + 1);
  }
}

bool is_sha256_hex(std::string_view text) {
  return text.size() == limits::kSha256HexBytes &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool brings_script(const TaskSpec& spec) {
  if (!spec.inline_script.empty()) return true;
  return !spec.script.empty() &&
         std::any_of(spec.inputs.begin(), spec.inputs.end(),
                     [&](const TaskInput& input) { return input.name == spec.script; });
}

std::string_view name_of(TaskState state) {
  const auto index = static_cast<std::size_t>(state);
  return index < kStateNames.size() ? kStateNames[index] : std::string_view("?");
}

std::optional<TaskState> parse_task_state(std::string_view name) {
  const auto lower = [](std::string_view text) {
    std::string result(text);
    for (char& c : result) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
  };
  const std::string wanted = lower(name);
  if (wanted == "cancelled" || wanted == "canceled") return TaskState::cancelled;
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (lower(kStateNames[i]) == wanted) return static_cast<TaskState>(i);
  }
  return std::nullopt;
}

std::string_view name_of(FailureClass failure) {
  const auto index = static_cast<std::size_t>(failure);
  return index < kFailureNames.size() ? kFailureNames[index] : std::string_view("?");
}

std::string_view name_of(PastKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < kPastKindNames.size() ? kPastKindNames[index] : std::string_view("?");
}

std::uint32_t backoff_ms(const RetryPolicy& policy, std::uint32_t failed, std::uint64_t seed) {
  const unsigned doublings = std::min(failed > 0 ? failed - 1 : 0, 31U);
  const std::uint64_t grown = std::uint64_t{policy.backoff_ms} << doublings;
  const auto whole =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(grown, policy.max_backoff_ms));
  const std::uint32_t fixed = whole / 2;
  // Its own scatter for every attempt of a task (the finalizer of MurmurHash3).
  std::uint64_t mixed = seed + failed;
  mixed = (mixed ^ (mixed >> 33U)) * 0xff51afd7ed558ccdULL;
  mixed = (mixed ^ (mixed >> 33U)) * 0xc4ceb9fe1a85ec53ULL;
  mixed ^= mixed >> 33U;
  return fixed + static_cast<std::uint32_t>(mixed % (std::uint64_t{whole} - fixed + 1));
}

std::optional<Error> check_spec(const TaskSpec& spec) {
  if (auto error = check_name("tool", spec.tool, limits::kMaxNameBytes)) return error;
  if (spec.script.size() > limits::kMaxScriptNameBytes) {
    return invalid("script", "is longer than 512 bytes");
  }
  if (has_control_character(spec.script)) return invalid("script", "contains control characters");
  if (climbs_out(spec.script)) {
    return invalid("script", "'" + spec.script +
                                 "' leaves the tool's folders; use a relative name without '..'");
  }
  if (spec.inline_script.size() > limits::kMaxPayloadBytes) {
    return Error{ErrorCode::too_big, "inline_script is larger than 4 MiB", "inline_script"};
  }
  if (!spec.inline_script.empty() && spec.script.empty()) {
    return invalid("script", "is empty; an inline script needs a file name");
  }
  if (!spec.inline_script.empty() &&
      std::any_of(spec.inputs.begin(), spec.inputs.end(),
                  [&](const TaskInput& input) { return input.name == spec.script; })) {
    return invalid("inputs." + spec.script,
                   "has the name of the inline script; rename one of them");
  }
  if (auto error = check_limits(spec.limits)) return error;
  if (auto error = check_retry(spec.retry)) return error;
  if (auto error = check_resources(spec.resources)) return error;
  if (auto error = check_inputs(spec.inputs)) return error;
  return check_labels(spec.labels);
}

}  // namespace taskpipe
