// An input of the fuzzers that drive a state machine: what happens to it, step by step.
//
//   step: op u8 | arg u8 | length u16, little-endian | payload
//
// What op and arg mean is the target's business; a payload is often a message (frames.hpp). Inputs
// are mutated step by step (script_mutator.cpp), so that the lengths stay right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace taskpipe::fuzz {

struct Step {
  std::uint8_t op = 0;
  std::uint8_t arg = 0;
  std::string payload;
};
using Script = std::vector<Step>;

inline constexpr std::size_t kMostSteps = 64;

// Every input is a script: what is cut off at its end is shorter, what is too much is left out.
[[nodiscard]] Script read_script(std::string_view input);
[[nodiscard]] std::string write_script(const Script& script);

// Ops below this carry a message; every target agrees on that.
inline constexpr std::uint8_t kMessageOps = 4;

}  // namespace taskpipe::fuzz
