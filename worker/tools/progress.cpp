#include "worker/tools/progress.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "worker/tools/lammps_progress.hpp"
#include "worker/tools/lammps_script.hpp"
#include "worker/tools/openfoam_progress.hpp"
#include "worker/tools/text.hpp"

namespace taskpipe::worker {
namespace {

class RegexProgress : public OutputParser {
 public:
  explicit RegexProgress(ProgressSource source) : source_(std::move(source)) {}

  void read(LogStream /*stream*/, std::string_view line, ParsedLine& out) override {
    std::array<std::string_view, 2> groups;
    std::optional<double> percent;
    if (source_.percent && source_.percent->search(line, std::span(groups).first(1))) {
      percent = parse_number(groups[0]);
    } else if (source_.fraction && source_.fraction->search(line, groups)) {
      const auto current = parse_number(groups[0]);
      const auto total = parse_number(groups[1]);
      if (current && total && *total > 0) percent = 100.0 * *current / *total;
    }
    if (!percent) return;
    percent_ = std::max(percent_, std::clamp(*percent, 0.0, 100.0));
    out.percent = percent_;
    out.message = std::string(trimmed(line).substr(0, kMaxMessageBytes));
  }

 private:
  static constexpr std::size_t kMaxMessageBytes = 200;

  ProgressSource source_;
  double percent_ = 0.0;
};

// Lets `progress` (may be null) read each line, then looks for metrics.
class MetricReader : public OutputParser {
 public:
  MetricReader(std::unique_ptr<OutputParser> progress, std::vector<MetricSource> metrics)
      : progress_(std::move(progress)), metrics_(std::move(metrics)) {}

  void read(LogStream stream, std::string_view line, ParsedLine& out) override {
    if (progress_) progress_->read(stream, line, out);
    for (const auto& metric : metrics_) {
      std::array<std::string_view, 1> group;
      if (!metric.pattern->search(line, group)) continue;
      if (const auto value = parse_number(group[0])) out.metrics.emplace_back(metric.name, *value);
    }
  }

 private:
  std::unique_ptr<OutputParser> progress_;
  std::vector<MetricSource> metrics_;
};

std::unique_ptr<OutputParser> make_progress_reader(const Manifest& manifest,
                                                   const ReaderContext& context) {
  switch (manifest.progress.kind) {
    case ProgressKind::none: return nullptr;
    case ProgressKind::regex: return std::make_unique<RegexProgress>(manifest.progress);
    case ProgressKind::lammps: {
      std::vector<ThermoColumn> columns;
      for (const auto& metric : manifest.metrics) {
        if (!metric.column.empty()) columns.push_back(ThermoColumn{metric.column, metric.name});
      }
      return std::make_unique<LammpsProgress>(analyse_lammps_script(context.script, context.params),
                                              std::move(columns));
    }
    case ProgressKind::openfoam: {
      std::optional<double> end_time;
      const auto it = context.params.find(manifest.progress.end_time_param);
      if (it != context.params.end()) end_time = parse_number(to_text(it->second));
      return std::make_unique<OpenfoamProgress>(end_time, context.owner);
    }
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<OutputParser> make_output_parser(const Manifest& manifest,
                                                 const ReaderContext& context) {
  auto progress = make_progress_reader(manifest, context);
  std::vector<MetricSource> metrics;
  for (const auto& metric : manifest.metrics) {
    if (metric.pattern) metrics.push_back(metric);
  }
  if (metrics.empty()) return progress;
  return std::make_unique<MetricReader>(std::move(progress), std::move(metrics));
}

}  // namespace taskpipe::worker
