// How many steps a LAMMPS input script will run, worked out before it runs.
//
// A script is followed command by command as LAMMPS would: variables of style index, loop, string
// and equal (with + - * / ^ %, parentheses, and the functions people use for step counts),
// substitution of ${name}, $x and $(expression), `next` and `jump SELF` loops. What depends on the
// simulation itself (`if`, thermo keywords, other files) cannot be known; the counts are then
// marked inexact and serve as an estimate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/value.hpp"

namespace taskpipe::worker {

struct LammpsRuns {
  std::vector<std::optional<std::uint64_t>> steps;  // of each `run`, in order; nothing = unknown
  bool exact = true;  // every run is in the list, and its length is known

  [[nodiscard]] std::uint64_t known_total() const;
};

// `variables` are those given on LAMMPS' command line: they win over `variable x index …`.
// Never fails. Cost: microseconds for an ordinary script, at most some 50 ms for one made to keep
// us busy (limits::kMaxAnalysedCharacters). A script of kMaxAnalysedScriptBytes or more is not
// followed.
[[nodiscard]] LammpsRuns analyse_lammps_script(std::string_view script, const ValueMap& variables);

}  // namespace taskpipe::worker
