#include "worker/tools/openfoam_progress.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

#include "common/model/limits.hpp"
#include "worker/tools/text.hpp"

namespace taskpipe::worker {
namespace {

constexpr std::string_view kCase = "Case   : ";
constexpr std::string_view kExec = "Exec   : ";
constexpr std::string_view kMeshTime = "Create mesh for time = ";
constexpr std::string_view kTime = "Time = ";
constexpr std::string_view kSolvingFor = "Solving for ";
constexpr std::string_view kInitialResidual = ", Initial residual = ";

// Empty when it cannot be read. The path comes from a task's output: whatever it names, we neither
// wait on it (a fifo) nor read much of it, nor anything that the tool's user could not have read.
std::string read_small_file(const std::filesystem::path& path, process::FileOwner owner) {
  const auto file = process::open_regular(path.string(), owner);
  const auto size = file ? file->size() : tl::unexpected(file.error());
  if (!size) return {};
  std::string text(std::min<std::uint64_t>(limits::kMaxControlDictBytes, *size), '\0');
  text.resize(file->read_at(0, std::as_writable_bytes(std::span(text))).value_or(0));
  return text;
}

std::string without_comments(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t skip = 0;
    if (text.starts_with("//")) {
      skip = std::min(text.find('\n'), text.size());
    } else if (text.starts_with("/*")) {
      const auto end = text.find("*/", 2);
      skip = end == std::string_view::npos ? text.size() : end + 2;
    }
    if (skip == 0) {
      out += text.front();
      skip = 1;
    } else {
      out += ' ';
    }
    text.remove_prefix(skip);
  }
  return out;
}

// The `key value;` entries of the top level.
std::map<std::string, std::string, std::less<>> top_entries(const std::string& text) {
  std::map<std::string, std::string, std::less<>> entries;
  std::string statement;
  int depth = 0;
  bool in_macro = false;  // ${name}: these braces are no dictionary's
  for (const char c : text) {
    const bool brace = (c == '{' || c == '}') && !in_macro && !statement.ends_with('$');
    if (c == '{') in_macro = statement.ends_with('$');
    if (c == '}') in_macro = false;
    if (brace) {
      depth += c == '{' ? 1 : -1;
      statement.clear();  // it named a dictionary
    } else if (c == ';') {
      const std::string_view words = trimmed(statement);
      const auto blank = words.find_first_of(" \t\n");
      if (depth == 0 && blank != std::string_view::npos) {
        entries[std::string(words.substr(0, blank))] = std::string(trimmed(words.substr(blank)));
      }
      statement.clear();
    } else {
      statement += c;
    }
  }
  return entries;
}

}  // namespace

ControlTimes parse_control_dict(std::string_view text) {
  const auto entries = top_entries(without_comments(text));
  const auto word = [&entries](std::string_view key) {
    auto it = entries.find(key);
    // A macro may stand for a macro; eight steps are more than anyone writes, and end a circle.
    for (int i = 0; i < 8 && it != entries.end() && it->second.starts_with('$'); ++i) {
      std::string_view name = std::string_view(it->second).substr(1);
      if (name.starts_with('{') && name.ends_with('}')) name = name.substr(1, name.size() - 2);
      it = entries.find(name);
    }
    return it == entries.end() ? std::string_view() : std::string_view(it->second);
  };
  ControlTimes times;
  if (word("startFrom") == "startTime") times.start = parse_number(word("startTime"));
  if (word("stopAt").empty() || word("stopAt") == "endTime") {
    times.end = parse_number(word("endTime"));
  }
  return times;
}

OpenfoamProgress::OpenfoamProgress(std::optional<double> end_time, process::FileOwner owner)
    : fallback_end_(end_time), owner_(owner) {}

void OpenfoamProgress::begin_program() {
  case_folder_.clear();
  times_known_ = false;
  times_ = ControlTimes{};
  mesh_time_.reset();
  solved_.clear();
}

void OpenfoamProgress::read(LogStream stream, std::string_view line, ParsedLine& out) {
  if (stream != LogStream::out) return;
  if (line.starts_with(kTime)) {
    read_time(trimmed(line.substr(kTime.size())), out);
  } else if (line.starts_with(kExec)) {
    begin_program();
  } else if (line.starts_with(kCase)) {
    case_folder_ = trimmed(line.substr(kCase.size()));
  } else if (line.starts_with(kMeshTime)) {
    mesh_time_ = parse_number(trimmed(line.substr(kMeshTime.size())));
  } else {
    read_residual(line, out);
  }
}

void OpenfoamProgress::read_time(std::string_view value, ParsedLine& out) {
  if (value.ends_with('s')) value.remove_suffix(1);  // "Time = 0.1s" since release 10
  const auto time = parse_number(value);
  if (!time) return;
  solved_.clear();
  if (!times_known_) {
    times_known_ = true;
    if (case_folder_.is_absolute()) {
      times_ = parse_control_dict(read_small_file(case_folder_ / "system" / "controlDict", owner_));
    }
    if (!times_.end) times_.end = fallback_end_;
  }
  out.message = "time " + std::string(value);
  const double start = times_.start.value_or(mesh_time_.value_or(0.0));
  if (!times_.end || !(*times_.end > start)) return;
  const double share = std::clamp((*time - start) / (*times_.end - start), 0.0, 1.0);
  percent_ = std::max(percent_, 100.0 * share);
  out.percent = percent_;
}

// "DICPCG:  Solving for p, Initial residual = 1, Final residual = 0.04, No Iterations 38"
void OpenfoamProgress::read_residual(std::string_view line, ParsedLine& out) {
  const auto field_at = line.find(kSolvingFor);
  const auto residual_at = line.find(kInitialResidual);
  if (field_at == std::string_view::npos || residual_at == std::string_view::npos) return;
  const auto name_at = field_at + kSolvingFor.size();
  if (residual_at <= name_at) return;
  std::string field(line.substr(name_at, residual_at - name_at));
  std::string_view value = line.substr(residual_at + kInitialResidual.size());
  value = value.substr(0, value.find(','));
  const auto residual = parse_number(value);
  if (!residual || field.size() > limits::kMaxNameBytes || !is_printable(field)) return;
  if (solved_.size() >= limits::kMaxMetrics) return;
  if (std::find(solved_.begin(), solved_.end(), field) != solved_.end()) return;
  out.metrics.emplace_back("residual_" + field, *residual);
  solved_.push_back(std::move(field));
}

}  // namespace taskpipe::worker
