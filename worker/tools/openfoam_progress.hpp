// Progress and residuals from the output of OpenFOAM's solvers.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/process/beneath.hpp"
#include "worker/exec/executor.hpp"

namespace taskpipe::worker {

// Times of a case's system/controlDict. Comments, nested dictionaries and $macros of the top level
// are understood; what is computed (#calc, #include) is not.
struct ControlTimes {
  std::optional<double> start;  // only with `startFrom startTime`
  std::optional<double> end;    // only with `stopAt endTime`
};
[[nodiscard]] ControlTimes parse_control_dict(std::string_view text);

// The percentage is the share of simulated time, from the start (controlDict, or the line "Create
// mesh for time = …") to endTime. The case's folder is read from the header that every OpenFOAM
// program prints, so it may lie anywhere; its controlDict is read when the first time step appears.
// Each program of a sequence starts a scale of its own, yet the percentage never falls.
//
// Metrics: residual_<field>, the initial residual of each field's first solution in a time step,
// which is what convergence is judged by.
class OpenfoamProgress : public OutputParser {
 public:
  // `end_time`: where the scale ends when there is no readable controlDict, or it is not `owner`'s.
  explicit OpenfoamProgress(std::optional<double> end_time, process::FileOwner owner = {});

  void read(LogStream stream, std::string_view line, ParsedLine& out) override;

 private:
  void begin_program();
  void read_time(std::string_view value, ParsedLine& out);
  void read_residual(std::string_view line, ParsedLine& out);

  std::optional<double> fallback_end_;
  process::FileOwner owner_;
  std::filesystem::path case_folder_;
  bool times_known_ = false;
  ControlTimes times_;
  std::optional<double> mesh_time_;
  std::vector<std::string> solved_;  // fields already solved in this time step
  double percent_ = 0.0;
};

}  // namespace taskpipe::worker
