// The specifications that tasks in memory share, each with how many use it.
//
// A client sends a batch's common spec once, but with every batch again, and an image of a task
// carries its own: one that equals the one before it is not kept twice. A task holds 8 bytes, and
// no counter that threads share is touched for each of them. Thread: one.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "common/model/task.hpp"

namespace taskpipe::broker {

// One of the table's specs, as a task holds it; null in an empty slot.
class HeldSpec {
 public:
  HeldSpec() = default;

  const TaskSpec* operator->() const { return held_->spec.get(); }
  const TaskSpec& operator*() const { return *held_->spec; }
  // For messages and records, which may outlive it. NOLINTNEXTLINE(google-explicit-constructor)
  operator const TaskSpecPtr&() const { return held_->spec; }
  [[nodiscard]] const TaskSpec* get() const { return held_->spec.get(); }
  [[nodiscard]] std::uint32_t tasks() const { return held_->tasks; }

  friend bool operator==(const HeldSpec& a, std::nullptr_t) { return a.held_ == nullptr; }

 private:
  friend class SpecTable;
  struct Entry {
    TaskSpecPtr spec;
    std::uint32_t tasks = 0;
  };
  explicit HeldSpec(Entry* held) : held_(held) {}

  Entry* held_ = nullptr;
};

class SpecTable {
 public:
  SpecTable() = default;
  SpecTable(const SpecTable&) = delete;  // tasks point into it
  SpecTable& operator=(const SpecTable&) = delete;
  ~SpecTable() = default;

  // For one more task.
  HeldSpec hold(const TaskSpecPtr& spec) {
    if (spec != last_asked_ || last_held_ == nullptr) {
      last_asked_ = spec;
      if (last_held_ == nullptr || *last_held_->spec != *spec) last_held_ = entry_of(spec);
    }
    ++last_held_->tasks;
    return HeldSpec(last_held_);
  }

  // One task less; the last takes the spec with it.
  void release(HeldSpec spec) {
    if (--spec.held_->tasks > 0) return;
    if (spec.held_ == last_held_) last_held_ = nullptr;
    entries_.erase(spec.get());
  }

 private:
  HeldSpec::Entry* entry_of(const TaskSpecPtr& spec) {
    HeldSpec::Entry& entry = entries_[spec.get()];
    entry.spec = spec;
    return &entry;
  }

  std::unordered_map<const TaskSpec*, HeldSpec::Entry> entries_;
  TaskSpecPtr last_asked_;
  HeldSpec::Entry* last_held_ = nullptr;  // what was answered
};

}  // namespace taskpipe::broker
