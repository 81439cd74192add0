#include "broker/core/ready_queue.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace taskpipe::broker {
namespace {

std::string key_of(ToolIndex tool, const std::string& script, bool inline_script,
                   const Resources& need) {
  std::string key = std::to_string(tool.value());
  key += inline_script ? "|i" : "|f";
  key += std::to_string(need.cpus) + "|" + std::to_string(need.gpus) + "|" +
         std::to_string(need.memory_bytes);
  for (const auto& named : need.named) {
    key += "|" + std::to_string(named.name.size()) + ":" + named.name + "=" +
           std::to_string(named.amount);
  }
  return key + "|" + script;
}

bool is_current(const TaskTable& tasks, TaskSlot slot, std::uint32_t ticket) {
  const auto* ready = std::get_if<phase::Ready>(&tasks[slot].phase);
  return ready != nullptr && ready->ticket == ticket;
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
    return std::pair(task.attempt.value() == 0, task.arrival);
  };
  for (auto& [priority, lane] : lanes_) {
    std::erase_if(lane,
                  [&](const Entry& entry) { return !is_current(tasks, entry.slot, entry.ticket); });
    std::sort(lane.begin(), lane.end(),
              [&](const Entry& a, const Entry& b) { return place(a) < place(b); });
  }
}

SignatureIndex SignatureTable::find_or_add(ToolIndex tool, const TaskSpec& spec) {
  const bool inline_script = !spec.inline_script.empty();
  const std::string script = inline_script ? std::string() : spec.script;
  const Resources need = required_resources(spec);
  const std::string key = key_of(tool, script, inline_script, need);
  const auto found = index_.find(key);
  if (found != index_.end()) return found->second;
  const SignatureIndex index(static_cast<std::uint32_t>(signatures_.size()));
  Signature& signature = signatures_.emplace_back();
  signature.tool = tool;
  signature.script = script;
  signature.inline_script = inline_script;
  signature.need = need;
  index_.emplace(key, index);
  return index;
}

SignatureIndex SignatureTable::intern(ToolIndex tool, const TaskSpecPtr& spec) {
  if (spec != last_spec_) {
    last_index_ = find_or_add(tool, *spec);
    last_spec_ = spec;
  }
  return last_index_;
}

}  // namespace taskpipe::broker
