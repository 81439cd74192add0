// Mutates scripts as scripts. A target that reads one defines libFuzzer's hooks by these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/fuzz/frames.hpp"

namespace taskpipe::fuzz {

// As LLVMFuzzerCustomMutator and LLVMFuzzerCustomCrossOver.
std::size_t mutate_script(std::uint8_t* data, std::size_t size, std::size_t max_size,
                          unsigned seed);
std::size_t cross_scripts(std::string_view a, std::string_view b, std::uint8_t* out,
                          std::size_t max_size, unsigned seed);

}  // namespace taskpipe::fuzz

// Once per target that reads scripts.
#define TASKPIPE_FUZZ_SCRIPTS()                                                                    \
  extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,             \
                                                 std::size_t max_size, unsigned seed) {            \
    return taskpipe::fuzz::mutate_script(data, size, max_size, seed);                              \
  }                                                                                                \
  extern "C" std::size_t LLVMFuzzerCustomCrossOver(                                                \
      const std::uint8_t* a, std::size_t a_size, const std::uint8_t* b, std::size_t b_size,        \
      std::uint8_t* out, std::size_t max_size, unsigned seed) {                                    \
    return taskpipe::fuzz::cross_scripts(taskpipe::fuzz::text_of(a, a_size),                       \
                                         taskpipe::fuzz::text_of(b, b_size), out, max_size, seed); \
  }                                                                                                \
  static_assert(true)
