#include "worker/tools/manifest.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <system_error>

#include "common/model/limits.hpp"
#include "worker/tools/manifest_container.hpp"
#include "worker/tools/toml_reader.hpp"

namespace taskpipe::worker {
namespace {

using Kind = Template::Kind;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Tool names are parts of topics ("task.<tool>."), so they hold no dot.
bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kMaxNameBytes &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; });
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && !is_digit(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

Millis to_millis(double seconds) { return Millis(std::llround(seconds * 1000.0)); }

std::vector<std::string> plain(std::vector<PlacedText> texts) {
  std::vector<std::string> result;
  result.reserve(texts.size());
  for (auto& text : texts) result.push_back(std::move(text.text));
  return result;
}

std::vector<std::string> read_texts(TableReader& table, std::string_view key) {
  return plain(table.texts(key).value_or(std::vector<PlacedText>{}));
}

// Paths are relative to the manifest's folder.
std::vector<std::filesystem::path> read_paths(TableReader& table, std::string_view key,
                                              const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> result;
  for (const auto& text : read_texts(table, key)) {
    result.push_back((folder / text).lexically_normal());
  }
  return result;
}

std::optional<Template> read_template(TableReader& table, std::string_view key,
                                      const PlacedText& text, std::initializer_list<Kind> refused) {
  auto parsed = Template::parse(text.text);
  if (!parsed) {
    table.fail_at(text.where, key, parsed.error());
    return std::nullopt;
  }
  for (const Kind kind : refused) {
    if (!parsed->uses(kind)) continue;
    table.fail_at(text.where, key, "'" + text.text + "' has a placeholder that has no value here");
    return std::nullopt;
  }
  return std::move(*parsed);
}

std::vector<Template> read_templates(TableReader& table, std::string_view key,
                                     std::initializer_list<Kind> refused) {
  std::vector<Template> result;
  const auto texts = table.texts(key);
  if (!texts) return result;
  if (texts->empty()) table.fail(key, "is empty");
  for (const auto& text : *texts) {
    if (auto parsed = read_template(table, key, text, refused)) {
      result.push_back(std::move(*parsed));
    }
  }
  return result;
}

std::optional<Pattern> read_pattern(TableReader& table, std::string_view key, int groups_low,
                                    int groups_high) {
  const auto text = table.text(key);
  if (!text) return std::nullopt;
  auto pattern = Pattern::compile(text->text);
  if (!pattern) {
    table.fail(key, "not a regular expression: " + pattern.error());
    return std::nullopt;
  }
  if (pattern->group_count() < groups_low || pattern->group_count() > groups_high) {
    table.fail(key, groups_high == 2 ? "expected two groups in parentheses: current and total"
                                     : "expected one group in parentheses");
    return std::nullopt;
  }
  return std::move(*pattern);
}

void read_version(TableReader& top, Manifest& out) {
  auto table = top.table("version");
  if (!table) return;
  if (const auto text = table->text("text")) out.version.fixed = text->text;
  out.version.argv = read_templates(*table, "argv",
                                    {Kind::script, Kind::directory, Kind::cpus, Kind::param,
                                     Kind::params, Kind::name, Kind::value});
  out.version.pattern = read_pattern(*table, "regex", 0, 1);
  out.version.timeout = to_millis(table->seconds("timeout_s", 0.1, limits::kMaxProbeMs / 1000.0)
                                      .value_or(limits::kDefaultProbeMs / 1000.0));
  table->refuse_other_keys();
  if (out.version.fixed.empty() == out.version.argv.empty()) {
    top.fail("version", "give either text, or argv and regex");
  } else if (!out.version.argv.empty() && !out.version.pattern) {
    table->require("regex");
  }
}

void read_command(TableReader& top, Manifest& out) {
  top.require("command");
  auto table = top.table("command");
  if (!table) return;
  table->require("argv");
  out.command = read_templates(*table, "argv", {Kind::name, Kind::value});
  out.params_as = read_templates(*table, "params_as", {Kind::script, Kind::params});
  table->refuse_other_keys();
  const bool passes = std::any_of(out.command.begin(), out.command.end(),
                                  [](const Template& part) { return part.is_params(); });
  if (passes && out.params_as.empty()) {
    table->fail("argv", "{params} needs params_as, which says how one parameter looks");
  } else if (!passes && !out.params_as.empty()) {
    table->fail("params_as", "has no effect: argv does not contain {params}");
  }
}

void read_mpi(TableReader& top, Manifest& out) {
  auto table = top.table("mpi");
  if (!table) return;
  out.launcher =
      read_templates(*table, "launcher", {Kind::script, Kind::params, Kind::name, Kind::value});
  table->require("launcher");
  table->refuse_other_keys();
}

void read_environment(TableReader& top, Manifest& out) {
  out.inherit = read_texts(top, "inherit");
  for (const auto& name : out.inherit) {
    if (!is_variable_name(name)) top.fail("inherit", "'" + name + "' is no variable name");
  }
  auto table = top.table("environment");
  if (!table) return;
  for (const auto& name : table->all_keys()) {
    const auto text = table->text(name);
    if (!text) continue;
    if (!is_variable_name(name)) {
      table->fail(name, "is no variable name; use letters, digits and '_'");
      continue;
    }
    auto value =
        read_template(*table, name, *text, {Kind::script, Kind::params, Kind::name, Kind::value});
    if (value) out.environment.emplace_back(name, std::move(*value));
  }
}

void read_scripts(TableReader& top, Manifest& out) {
  auto table = top.table("scripts");
  if (table) {
    out.script_folders = read_paths(*table, "folders", out.folder);
    out.script_patterns = read_texts(*table, "patterns");
    if (out.script_patterns.empty()) out.script_patterns = {"*"};
    out.inline_scripts = table->boolean("inline").value_or(false);
    out.requires_script = table->boolean("required").value_or(true);
    table->refuse_other_keys();
  }
  const bool uses_script = std::any_of(out.command.begin(), out.command.end(),
                                       [](const Template& t) { return t.uses(Kind::script); });
  if (uses_script && (!table || !out.requires_script)) {
    top.fail("scripts", "the command contains {script}, so a script must be required");
  }
  if (table && out.script_folders.empty() && !out.inline_scripts) {
    top.fail("scripts", "no script could ever run: give folders, or inline = true");
  }
}

ProgressKind read_kind(TableReader& table) {
  table.require("kind");
  const auto text = table.text("kind");
  if (!text) return ProgressKind::none;
  if (text->text == "lammps") return ProgressKind::lammps;
  if (text->text == "openfoam") return ProgressKind::openfoam;
  if (text->text == "regex") return ProgressKind::regex;
  if (text->text != "none") table.fail("kind", "expected lammps, openfoam, regex or none");
  return ProgressKind::none;
}

void read_progress(TableReader& top, Manifest& out) {
  auto table = top.table("progress");
  if (!table) return;
  out.progress.kind = read_kind(*table);
  if (out.progress.kind == ProgressKind::regex) {
    out.progress.percent = read_pattern(*table, "percent", 1, 1);
    out.progress.fraction = read_pattern(*table, "fraction", 2, 2);
    if (out.progress.percent.has_value() == out.progress.fraction.has_value()) {
      table->fail("kind", "give either percent or fraction");
    }
  }
  if (out.progress.kind == ProgressKind::openfoam) {
    if (const auto text = table->text("end_time_param")) out.progress.end_time_param = text->text;
  }
  table->refuse_other_keys();
}

void read_metrics(TableReader& top, Manifest& out) {
  auto table = top.table("metrics");
  if (!table) return;
  for (const auto& name : table->all_keys()) {
    auto entry = table->table(name);
    if (!entry) continue;
    MetricSource metric{name, read_pattern(*entry, "regex", 1, 1), {}};
    if (const auto column = entry->text("column")) metric.column = column->text;
    entry->refuse_other_keys();
    if (metric.pattern.has_value() != metric.column.empty()) {
      table->fail(name, "give either regex or column");
    }
    if (!metric.column.empty() && out.progress.kind != ProgressKind::lammps) {
      entry->fail("column", "needs progress.kind = \"lammps\"");
    }
    out.metrics.push_back(std::move(metric));
  }
  if (out.metrics.size() > limits::kMaxMetrics) {
    top.fail("metrics", "more than " + std::to_string(limits::kMaxMetrics) + " metrics");
  }
}

void read_limits(TableReader& top, Manifest& out) {
  out.grace = Millis(limits::kDefaultGraceMs);
  auto table = top.table("limits");
  if (!table) return;
  constexpr double kYear = 366.0 * 86'400.0;
  if (const auto value = table->seconds("time_limit_s", 0.0, kYear)) {
    out.time_limit = to_millis(*value);
  }
  if (const auto value = table->seconds("time_limit_max_s", 0.0, kYear)) {
    out.time_limit_max = to_millis(*value);
  }
  if (const auto value = table->seconds("grace_s", 0.0, limits::kMaxGraceMs / 1000.0)) {
    out.grace = to_millis(*value);
  }
  if (const auto value = table->integer("memory_mib", 1, 1LL << 40)) {
    out.memory_limit_bytes = static_cast<std::uint64_t>(*value) << 20U;
  }
  table->refuse_other_keys();
  if (out.time_limit_max > Millis(0) && out.time_limit > out.time_limit_max) {
    table->fail("time_limit_s", "is above time_limit_max_s");
  }
}

void read_requirements(TableReader& top, Manifest& out) {
  auto table = top.table("requires");
  if (!table) return;
  out.required_programs = read_texts(*table, "programs");
  out.required_files = read_paths(*table, "files", out.folder);
  table->refuse_other_keys();
}

void read_top(TableReader& top, Manifest& out) {
  top.require("name");
  if (const auto name = top.text("name")) {
    out.name = name->text;
    if (!is_tool_name(out.name)) {
      top.fail("name", "use 1 to 128 letters, digits, '_' and '-'");
    }
  }
  if (const auto text = top.text("description")) {
    out.description = text->text;
    if (out.description.size() > limits::kMaxTextBytes) top.fail("description", "too long");
  }
  out.artifact_globs = read_texts(top, "artifacts");
  read_version(top, out);
  read_requirements(top, out);
  read_command(top, out);
  read_mpi(top, out);
  read_environment(top, out);
  read_container(top, out);
  read_scripts(top, out);
  read_progress(top, out);
  read_metrics(top, out);
  read_limits(top, out);
  top.refuse_other_keys();
}

}  // namespace

tl::expected<Manifest, Error> parse_manifest(std::string_view toml,
                                             const std::filesystem::path& file) {
  TomlDocument document(file.filename().string());
  Manifest manifest;
  manifest.file = file;
  manifest.folder = file.parent_path();
  try {
    const toml::table root = toml::parse(toml, file.filename().string());
    TableReader top(document, root, {});
    read_top(top, manifest);
  } catch (const toml::parse_error& error) {
    document.fail(error.source(), {}, error.description());
  }
  if (document.error()) return tl::unexpected(*document.error());
  return manifest;
}

tl::expected<Manifest, Error> read_manifest(const std::filesystem::path& file) {
  const auto refuse = [&file](std::string_view why) {
    return tl::unexpected(
        Error{ErrorCode::invalid, file.filename().string() + ": " + std::string(why), {}});
  };
  std::error_code failed;
  const auto absolute = std::filesystem::absolute(file, failed).lexically_normal();
  const auto size = std::filesystem::file_size(absolute, failed);
  if (failed) return refuse(failed.message());
  if (size > limits::kMaxManifestBytes) return refuse("is too large for a manifest");
  std::ifstream in(absolute, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) return refuse("cannot be read");
  return parse_manifest(text, absolute);
}

}  // namespace taskpipe::worker
