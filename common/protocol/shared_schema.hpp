// Descriptions of what several messages contain. Private to common/protocol.
#pragma once

#include "common/model/limits.hpp"
#include "common/protocol/schema.hpp"

namespace taskpipe::protocol {

inline constexpr Bound kName = up_to_bytes(limits::kMaxNameBytes);
inline constexpr Bound kText = up_to_bytes(limits::kMaxTextBytes);
inline constexpr Bound kScriptName = up_to_bytes(limits::kMaxScriptNameBytes);
inline constexpr Bound kBatch = up_to_items(limits::kMaxBatchItems);
inline constexpr Bound kAttempts = up_to_items(limits::kMaxHelloAttempts);
inline constexpr Bound kLabels = up_to_items(limits::kMaxLabels);
inline constexpr Bound kParams = up_to_bytes(limits::kMaxPayloadBytes);
inline constexpr Bound kProgressMetrics = up_to_texts(limits::kMaxMetrics, limits::kMaxNameBytes);

// Sorts by `key` and finds what is there twice.
template <class T, class Key>
[[nodiscard]] std::optional<Defect> sort_unique(std::vector<T>& list, Key T::*key,
                                                const char* field) {
  std::sort(list.begin(), list.end(), [key](const T& a, const T& b) { return a.*key < b.*key; });
  const auto twice = std::adjacent_find(list.begin(), list.end(),
                                        [key](const T& a, const T& b) { return a.*key == b.*key; });
  if (twice == list.end()) return std::nullopt;
  return Defect{ErrorCode::invalid, field, "names '" + (*twice).*key + "' twice"};
}

// INVALID when an item refers to a specification that the message does not carry.
template <class Batch>
[[nodiscard]] std::optional<Defect> check_spec_indices(const Batch& batch) {
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    if (batch.items[i].spec < batch.specs.size()) continue;
    return Defect{ErrorCode::invalid, "items[" + std::to_string(i) + "].spec",
                  "is " + std::to_string(batch.items[i].spec) + ", but there are only " +
                      std::to_string(batch.specs.size()) + " specs"};
  }
  return std::nullopt;
}

template <>
struct Schema<AttemptKey> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("task_id", s.task);
    f.element("epoch", s.epoch);
    f.element("attempt", s.attempt);
  }
};

template <>
struct Schema<Error> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "code", s.code);
    f.optional(2, "text", s.text, prose());
    f.optional(3, "field", s.field, prose());
    f.optional(4, "retry_ms", s.retry_ms);
  }
};

template <>
struct Schema<Label> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("key", s.key, kName);
    f.element("value", s.value, kText);
  }
};

template <>
struct Schema<NamedResource> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("name", s.name, kName);
    f.element("amount", s.amount);
  }
};

template <>
struct Schema<Resources> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "cpus", s.cpus);
    f.optional(2, "gpus", s.gpus);
    f.optional(3, "memory_bytes", s.memory_bytes);
    f.optional(4, "named", s.named, up_to_items(limits::kMaxNamedResources));
  }
  static std::optional<Defect> settle(Resources& s) {
    return sort_unique(s.named, &NamedResource::name, "named");
  }
};

template <>
struct Schema<TaskLimits> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "run_time_ms", s.run_time_ms);
    f.optional(2, "grace_ms", s.grace_ms);
    f.optional(3, "queue_time_ms", s.queue_time_ms);
    f.optional(4, "no_progress_ms", s.no_progress_ms);
  }
};

// Written whole: what is left out would have to mean the same for ever.
template <>
struct Schema<RetryPolicy> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "max_attempts", s.max_attempts);
    f.required(2, "failures", s.failures);
    f.required(3, "backoff_ms", s.backoff_ms);
    f.required(4, "max_backoff_ms", s.max_backoff_ms);
    f.optional(5, "max_worker_losses", s.max_worker_losses);
  }
};

// A hash of 64 lower-case hex digits, or INVALID.
[[nodiscard]] inline std::optional<Defect> check_sha256(const std::string& sha256) {
  if (is_sha256_hex(sha256)) return std::nullopt;
  return Defect{ErrorCode::invalid, "sha256", "is not 64 lower-case hex digits"};
}

template <>
struct Schema<TaskInput> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "name", s.name, up_to_bytes(limits::kMaxPathBytes));
    f.required(2, "sha256", s.sha256, up_to_bytes(limits::kSha256HexBytes));
    f.optional(3, "size_bytes", s.size_bytes);
    f.optional(4, "executable", s.executable);
  }
  static std::optional<Defect> check(const TaskInput& s) { return check_sha256(s.sha256); }
};

template <>
struct Schema<TaskSpec> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "tool", s.tool, kName);
    f.optional(2, "script", s.script, kScriptName);
    f.optional(3, "inline_script", s.inline_script, kParams);
    f.optional(4, "priority", s.priority);
    f.optional(5, "resources", s.resources);
    f.optional(6, "limits", s.limits);
    f.optional(7, "labels", s.labels, kLabels);
    f.optional(8, "wait_for_capacity", s.wait_for_capacity);
    f.optional(9, "retry", s.retry);
    f.optional(10, "inputs", s.inputs, up_to_items(limits::kMaxInputs));
  }
  static std::optional<Defect> settle(TaskSpec& s) {
    normalize(s.resources);  // an amount of zero asks for nothing
    return sort_unique(s.labels, &Label::key, "labels");
  }
};

template <>
struct Schema<Usage> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("wall_us", s.wall_us);
    f.element("user_us", s.user_us);
    f.element("system_us", s.system_us);
    f.element("max_rss_bytes", s.max_rss_bytes);
  }
};

template <>
struct Schema<Outcome> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("state", s.state);
    f.element("failure", s.failure);
    f.element("exit_code", s.exit_code);
    f.element("signal", s.signal);
    f.element("usage", s.usage);
    f.element("reason", s.reason, prose());
    f.element("report", s.report, up_to_bytes(limits::kMaxResultBytes));
  }
  static std::optional<Defect> check(const Outcome& s) {
    if (is_terminal(s.state)) return std::nullopt;
    return Defect{ErrorCode::invalid, "state", "is not a state in which a task ends"};
  }
};

template <>
struct Schema<ScriptOffer> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("name", s.name, kScriptName);
    f.element("sha256", s.sha256, up_to_bytes(limits::kSha256HexBytes));
  }
};

template <>
struct Schema<ToolOffer> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "name", s.name, kName);
    f.optional(2, "version", s.version, kName);
    f.optional(3, "description", s.description, prose());
    f.optional(4, "scripts", s.scripts, up_to_items(limits::kMaxScriptsPerTool));
    f.optional(5, "inline_scripts", s.inline_scripts);
    f.optional(6, "requires_script", s.requires_script);
  }
};

}  // namespace taskpipe::protocol
