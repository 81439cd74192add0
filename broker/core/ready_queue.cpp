#include "broker/core/ready_queue.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::broker {
namespace {

// The script that a worker must have; an inline one may be any.
std::string script_of(const TaskSpec& spec) {
  return brings_script(spec) ? std::string() : spec.script;
}

std::string key_of(ToolIndex tool, const TaskSpec& spec, Care care) {
  const Resources need = required_resources(spec);
  std::string key = std::to_string(tool.value()) + "/" + std::to_string(static_cast<int>(care));
  key += brings_script(spec) ? "|i" : "|f";
  key += spec.inputs.empty() ? "" : "+";
  key += std::to_string(need.cpus) + "|" + std::to_string(need.gpus) + "|" +
         std::to_string(need.memory_bytes);
  for (const auto& named : need.named) {
    key += "|" + std::to_string(named.name.size()) + ":" + named.name + "=" +
           std::to_string(named.amount);
  }
  return key + "|" + script_of(spec);
}

bool is_current(const TaskTable& tasks, TaskSlot slot, std::uint32_t ticket) {
  return tasks[slot].ticket == ticket && std::holds_alternative<phase::Ready>(tasks[slot].phase);
}

}  // namespace

Resources required_resources(const TaskSpec& spec) {
  Resources need = spec.resources;
  need.cpus = std::max(need.cpus, 1U);
  normalize(need);
  return need;
}

void ReadyQueue::push_back(std::int32_t priority, TaskSlot slot, std::uint32_t ticket) {
  lanes_[priority].push_back({slot, ticket});
  ++size_;
}

void ReadyQueue::push_front(std::int32_t priority, TaskSlot slot, std::uint32_t ticket) {
  lanes_[priority].push_front({slot, ticket});
  ++size_;
}

TaskSlot ReadyQueue::head(const TaskTable& tasks) {
  while (!lanes_.empty()) {
    auto& lane = lanes_.begin()->second;
    while (!lane.empty()) {
      if (is_current(tasks, lane.front().slot, lane.front().ticket)) return lane.front().slot;
      lane.pop_front();
    }
    lanes_.erase(lanes_.begin());
  }
  return TaskSlot(kNoSlot);
}

void ReadyQueue::pop() {
  assert(!lanes_.empty() && !lanes_.begin()->second.empty());
  lanes_.begin()->second.pop_front();
}

void ReadyQueue::reorder(const TaskTable& tasks) {
  const auto place = [&tasks](const Entry& entry) {
    const Task& task = tasks[entry.slot];
    return std::pair(task.attempt().value() == 0, task.arrival);
  };
  for (auto& [priority, lane] : lanes_) {
    std::erase_if(lane,
                  [&](const Entry& entry) { return !is_current(tasks, entry.slot, entry.ticket); });
    // Most often it is right already, and a sort would look at each task in memory twenty times.
    const auto before = [&](const Entry& a, const Entry& b) { return place(a) < place(b); };
    if (std::is_sorted(lane.begin(), lane.end(), before)) continue;
    std::sort(lane.begin(), lane.end(), before);
  }
}

std::optional<SignatureIndex> SignatureTable::find(ToolIndex tool, const TaskSpec& spec) const {
  const auto found = index_.find(key_of(tool, spec, Care::none));
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

SignatureIndex SignatureTable::find_or_add(ToolIndex tool, const TaskSpec& spec, Care care) {
  SignatureIndex next(static_cast<std::uint32_t>(signatures_.size()));
  if (!free_.empty()) next = free_.back();
  const auto [found, added] = index_.emplace(key_of(tool, spec, care), next);
  if (!added) return found->second;
  if (free_.empty()) {
    signatures_.emplace_back();
  } else {
    free_.pop_back();
  }
  Signature& signature = (*this)[next];
  signature.key = found->first;
  signature.tool = tool;
  signature.care = care;
  signature.script = script_of(spec);
  signature.inline_script = brings_script(spec);
  signature.has_inputs = !spec.inputs.empty();
  signature.need = required_resources(spec);
  make_idle(next);
  return next;
}

SignatureIndex SignatureTable::intern(ToolIndex tool, const TaskSpecPtr& spec, Care care) {
  if (spec != last_spec_ || care != last_care_) {
    last_index_ = find_or_add(tool, *spec, care);
    last_spec_ = spec;
    last_care_ = care;
  }
  return last_index_;
}

void SignatureTable::make_idle(SignatureIndex index) {
  Signature& signature = (*this)[index];
  if (std::exchange(signature.idle, true)) return;
  idle_.push_back(index);
}

void SignatureTable::release_idle() {
  while (idle_.size() > limits::kMaxIdleSignatures) {
    const SignatureIndex index = idle_.front();
    idle_.pop_front();
    Signature& signature = (*this)[index];
    signature.idle = false;
    if (signature.queue.size() > 0) continue;  // it becomes idle again, later
    if (index == last_index_) last_spec_.reset();
    index_.erase(signature.key);
    signature = Signature{};
    free_.push_back(index);
  }
}

}  // namespace taskpipe::broker
