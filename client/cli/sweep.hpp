// Parameter sweeps: "a=1,2,3" and "b=x,y" are six tasks. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/limits.hpp"
#include "common/model/value.hpp"

namespace taskpipe::cli {

// All combinations of a sweep are one workflow.
inline constexpr std::size_t kMaxSweepTasks = limits::kMaxWorkflowTasks;

struct SweepAxis {
  std::string key;
  std::vector<Value> values;
  std::vector<std::string> texts;  // of the values, as they were typed
};

// "a=1,2,3": commas separate values, except within brackets, braces and double quotes; each is
// typed as `typed_value` has it, and may be a range of integers, "1..5" or "0..100..25" (both ends
// belong to it). INVALID with the field "params.<key>": no value, or one that stands twice.
[[nodiscard]] tl::expected<SweepAxis, Error> read_axis(std::string_view assignment);

struct Sweep {
  std::vector<SweepAxis> axes;  // in the order given

  [[nodiscard]] std::size_t count() const;
  // Of combination `index`: the last axis changes fastest.
  [[nodiscard]] ValueMap params(std::size_t index) const;
  // "a=1 b=x": the axes with more than one value; "" where there is none.
  [[nodiscard]] std::string label(std::size_t index) const;
  // "6 tasks: a (3) × b (2)"
  [[nodiscard]] std::string size_text(bool unicode) const;
};

// INVALID for a key that stands twice, TOO_BIG beyond kMaxSweepTasks combinations.
[[nodiscard]] tl::expected<Sweep, Error> read_sweep(std::span<const std::string> assignments);

}  // namespace taskpipe::cli
