// Progress and metrics from the output of LAMMPS: the thermo table and what surrounds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/exec/executor.hpp"
#include "worker/tools/lammps_script.hpp"

namespace taskpipe::worker {

// A column of the thermo table to be reported, and as what.
struct ThermoColumn {
  std::string header;  // "Temp"
  std::string metric;  // "temperature"
};

// The percentage is the share of all steps of all runs. Their number comes from the script; where
// that cannot be worked out, from `run N` lines that LAMMPS echoes, and the share of what is known
// so far stays below 100 until the program ends. Minimisations print the same table but have no
// known length: they give metrics only.
class LammpsProgress : public OutputParser {
 public:
  LammpsProgress(LammpsRuns runs, std::vector<ThermoColumn> columns);

  void read(LogStream stream, std::string_view line, ParsedLine& out) override;

 private:
  enum class Table { none, rows, minimisation };

  bool read_header();
  void read_row(ParsedLine& out);
  void read_assignments(ParsedLine& out);
  void read_step(std::string_view word, ParsedLine& out);
  void end_run();
  [[nodiscard]] std::optional<std::uint64_t> length_of_current_run() const;

  LammpsRuns runs_;
  std::vector<ThermoColumn> columns_;

  Table table_ = Table::none;
  bool minimising_ = false;
  bool header_expected_ = false;      // the line before announced a table
  std::vector<std::string> headers_;  // of the present table
  std::size_t step_column_ = 0;
  std::vector<std::optional<std::size_t>> positions_;  // of columns_ in the present table

  std::size_t run_index_ = 0;            // of the present or coming run
  std::uint64_t steps_done_ = 0;         // of the runs before it
  std::optional<double> run_start_;      // first step of the present run
  double run_step_ = 0.0;                // last one seen
  std::optional<std::uint64_t> echoed_;  // length of the coming run, from the echoed command
  double percent_ = 0.0;

  std::vector<std::string_view> words_;  // of the present line
};

}  // namespace taskpipe::worker
