#include "client/src/task_preparation.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "common/model/limits.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/value_codec.hpp"

namespace taskpipe::client {
namespace {

std::size_t content_hash(const TaskSpec& spec) {
  std::size_t hash = std::hash<std::string>{}(spec.tool);
  const auto mix = [&hash](std::size_t other) {
    hash ^= other + 0x9e3779b97f4a7c15ULL + (hash << 6U) + (hash >> 2U);
  };
  mix(std::hash<std::string>{}(spec.script));
  mix(std::hash<std::string_view>{}(spec.inline_script.text()));
  mix(static_cast<std::size_t>(spec.priority));
  mix(spec.resources.cpus);
  mix(spec.resources.gpus);
  mix(spec.resources.memory_bytes);
  mix(spec.limits.run_time_ms);
  mix(spec.limits.queue_time_ms);
  mix(spec.limits.no_progress_ms);
  mix(spec.retry.max_attempts);
  mix(spec.retry.failures);
  mix(spec.retry.backoff_ms);
  mix(spec.retry.max_backoff_ms);
  // Apart from "none", whatever the number.
  mix(spec.retry.max_worker_losses ? std::size_t{*spec.retry.max_worker_losses} + 1 : 0);
  for (const auto& label : spec.labels) mix(std::hash<std::string>{}(label.value));
  for (const auto& input : spec.inputs) mix(std::hash<std::string>{}(input.sha256));
  return hash;
}

}  // namespace

tl::expected<PreparedSpecPtr, Error> TaskPreparation::spec_of(const TaskRequest& request) {
  if (last_) {
    const TaskSpec& last = *last_->spec;
    const bool same = last.tool == request.tool && last.script == request.script &&
                      last.priority == request.priority && last.limits == request.limits &&
                      last.retry == request.retry && last.inputs == request.inputs &&
                      last.wait_for_capacity == request.wait_for_capacity &&
                      last.inline_script.text() == request.inline_script &&
                      last_labels_ == request.labels && last_resources_ == request.resources;
    if (same) return last_;
  }
  if (request.inline_script.size() > limits::kMaxPayloadBytes) {
    return tl::unexpected(
        Error{ErrorCode::too_big, "inline_script is larger than 4 MiB", "inline_script"});
  }
  auto spec = std::make_shared<TaskSpec>();
  spec->tool = request.tool;
  spec->script = request.script;
  spec->inline_script = Payload(std::string_view(request.inline_script));
  spec->priority = request.priority;
  spec->resources = request.resources;
  normalize(spec->resources);
  spec->limits = request.limits;
  spec->retry = request.retry;
  spec->labels = request.labels;
  std::sort(spec->labels.begin(), spec->labels.end());
  const auto twice =
      std::adjacent_find(spec->labels.begin(), spec->labels.end(),
                         [](const Label& a, const Label& b) { return a.key == b.key; });
  if (twice != spec->labels.end()) {
    return tl::unexpected(Error{ErrorCode::invalid,
                                "labels has the key '" + twice->key + "' twice; keep one",
                                "labels." + twice->key});
  }
  spec->wait_for_capacity = request.wait_for_capacity;
  spec->inputs = request.inputs;
  if (auto error = check_spec(*spec)) return tl::unexpected(std::move(*error));

  PreparedSpec prepared;
  prepared.content_hash = content_hash(*spec);
  prepared.encoded_bytes = protocol::encoded_size_bound(*spec);
  prepared.blobs = spec->inline_script.size() > limits::kMaxInlinePayloadBytes ? 1 : 0;
  prepared.spec = std::move(spec);
  last_ = std::make_shared<const PreparedSpec>(std::move(prepared));
  last_labels_ = request.labels;
  last_resources_ = request.resources;
  return last_;
}

tl::expected<PreparedTask, Error> TaskPreparation::prepare(const TaskRequest& request, TaskId id) {
  auto spec = spec_of(request);
  if (!spec) return tl::unexpected(std::move(spec.error()));
  if (request.id && request.id->is_nil()) {
    return tl::unexpected(Error{ErrorCode::invalid, "id is nil; leave it out", "id"});
  }
  auto params = protocol::encode_params(request.params);
  if (!params) return tl::unexpected(std::move(params.error()));
  const ParamsHash hash = protocol::hash_params(*params);
  return PreparedTask{request.id.value_or(id), std::move(*spec), std::move(*params), hash,
                      request.id.has_value()};
}

}  // namespace taskpipe::client
