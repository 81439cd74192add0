#include "worker/tools/lammps_progress.hpp"

#include <algorithm>
#include <utility>

#include "worker/tools/text.hpp"

namespace taskpipe::worker {
namespace {

// While more runs may follow than are known, this is the end of the scale.
constexpr double kInexactPercentMax = 99.0;

}  // namespace

LammpsProgress::LammpsProgress(LammpsRuns runs, std::vector<ThermoColumn> columns)
    : runs_(std::move(runs)), columns_(std::move(columns)) {}

void LammpsProgress::read(LogStream stream, std::string_view line, ParsedLine& out) {
  if (stream != LogStream::out) return;
  split_words(line, words_);
  if (words_.empty()) return;
  const bool announced = std::exchange(header_expected_, line.starts_with("Per MPI rank memory"));
  if (line.starts_with("Setting up ")) {
    minimising_ = line.find("minimization") != std::string_view::npos;
  } else if (words_[0] == "run" && words_.size() >= 2) {
    const auto steps = parse_number(words_[1]);
    if (steps && *steps >= 0 && *steps < 9e15) echoed_ = static_cast<std::uint64_t>(*steps);
  } else if (line.starts_with("Loop time of ")) {
    end_run();
  } else if (line.starts_with("---") && words_.size() > 3 && words_[1] == "Step") {
    // thermo_modify line multi: "---------------- Step       50 ----- CPU =  0.2 (sec) ----------"
    read_step(words_[2], out);
  } else if (announced || (words_[0] == "Step" && (words_.size() == 1 || words_[1] != "="))) {
    if (read_header()) table_ = minimising_ ? Table::minimisation : Table::rows;
  } else if (words_.size() >= 3 && words_[1] == "=") {
    read_assignments(out);
  } else if (table_ != Table::none && words_.size() == headers_.size()) {
    read_row(out);
  }
}

bool LammpsProgress::read_header() {
  const auto step = std::find(words_.begin(), words_.end(), "Step");
  if (step == words_.end()) return false;
  headers_.assign(words_.begin(), words_.end());
  step_column_ = static_cast<std::size_t>(step - words_.begin());
  positions_.clear();
  for (const auto& column : columns_) {
    const auto found = std::find(headers_.begin(), headers_.end(), column.header);
    positions_.push_back(
        found == headers_.end()
            ? std::nullopt
            : std::optional<std::size_t>(static_cast<std::size_t>(found - headers_.begin())));
  }
  return true;
}

void LammpsProgress::read_row(ParsedLine& out) {
  // A warning between the rows may happen to have as many words.
  if (!parse_number(words_[step_column_])) return;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!positions_[i]) continue;
    if (const auto value = parse_number(words_[*positions_[i]])) {
      out.metrics.emplace_back(columns_[i].metric, *value);
    }
  }
  if (table_ == Table::rows) read_step(words_[step_column_], out);
}

// The multi-line style: "Step     =      150 Temp     =      0.5263 E_pair   =      -6.0740".
void LammpsProgress::read_assignments(ParsedLine& out) {
  for (std::size_t i = 0; i + 2 < words_.size(); i += 3) {
    if (words_[i + 1] != "=") return;
    for (const auto& column : columns_) {
      if (column.header != words_[i]) continue;
      if (const auto value = parse_number(words_[i + 2])) {
        out.metrics.emplace_back(column.metric, *value);
      }
    }
  }
}

std::optional<std::uint64_t> LammpsProgress::length_of_current_run() const {
  if (echoed_) return echoed_;
  if (run_index_ < runs_.steps.size()) return runs_.steps[run_index_];
  return std::nullopt;
}

void LammpsProgress::read_step(std::string_view word, ParsedLine& out) {
  const auto step = parse_number(word);
  if (!step || minimising_) return;
  if (!run_start_) run_start_ = step;  // the table starts with the state before the first step
  run_step_ = *step;
  out.message = "step " + std::string(word);
  if (runs_.steps.size() > 1) {
    out.message += ", run " + std::to_string(run_index_ + 1) + " of " +
                   (runs_.exact ? std::string() : std::string("about ")) +
                   std::to_string(std::max(runs_.steps.size(), run_index_ + 1));
  }
  const double done = static_cast<double>(steps_done_) + std::max(0.0, *step - *run_start_);
  auto total = static_cast<double>(runs_.known_total());
  if (!runs_.exact) {
    const auto length = length_of_current_run();
    if (total <= 0.0 && !length) return;
    total = std::max(total, static_cast<double>(steps_done_ + length.value_or(0)));
  }
  if (total <= 0.0) return;
  const double end = runs_.exact ? 100.0 : kInexactPercentMax;
  percent_ = std::max(percent_, std::min(end, 100.0 * done / total));
  out.percent = percent_;
}

void LammpsProgress::end_run() {
  table_ = Table::none;
  echoed_.reset();
  if (std::exchange(minimising_, false)) return;
  // "Loop time of 1.2 on 2 procs for 1000 steps with 4000 atoms"
  const auto steps = words_.size() > 8 ? parse_number(words_[8]) : std::nullopt;
  if (steps && *steps >= 0 && *steps < 9e15) {
    steps_done_ += static_cast<std::uint64_t>(*steps);
  } else if (run_start_) {
    steps_done_ += static_cast<std::uint64_t>(std::max(0.0, run_step_ - *run_start_));
  }
  run_start_.reset();
  ++run_index_;
}

}  // namespace taskpipe::worker
