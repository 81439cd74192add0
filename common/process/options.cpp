#include "common/process/options.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <map>
#include <utility>

#include "common/process/option_sources.hpp"
#include "common/process/units.hpp"

namespace taskpipe::process {
namespace {

using Assigned = tl::expected<void, Error>;
using Settings = std::vector<Setting>;

// INVALID without a field: the table adds which option and which source.
tl::unexpected<Error> refused(std::string text) {
  return tl::unexpected(Error{ErrorCode::invalid, std::move(text), {}});
}

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string to_text(double value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return std::string(buffer.data(), end);
}

// "must lie between 1s and 1h"; a side that the type itself bounds is left out.
template <class T, class Show>
std::string range_text(const Bounds<T>& bounds, Show show) {
  const Bounds<T> type;
  if (bounds.min == type.min) return "must be at most " + show(bounds.max);
  if (bounds.max == type.max) return "must be at least " + show(bounds.min);
  return "must lie between " + show(bounds.min) + " and " + show(bounds.max);
}

template <class T, class Show>
Assigned check_bounds(T value, const Bounds<T>& bounds, Show show) {
  if (value >= bounds.min && value <= bounds.max) return {};
  return refused(in_quotes(show(value)) + " is out of range: it " + range_text(bounds, show));
}

std::optional<bool> parse_flag(std::string_view text) {
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

// The whole text must be one number of type T.
template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

}  // namespace

// --- The table ----------------------------------------------------------------------------------

struct OptionTable::Impl {
  struct Target {
    std::function<Assigned(const std::string&)> assign;
    std::vector<std::string>* list = nullptr;  // with `list` options only
  };

  ProgramInfo info;
  std::string group = "Options";
  std::vector<OptionRow> rows;
  std::map<std::string, Target> targets;
  bool positional_allowed = false;
  bool command_line_only = false;

  void add(const std::string& name, std::string value_name, std::string help,
           std::function<Assigned(const std::string&)> assign,
           std::vector<std::string>* list = nullptr) {
    OptionRow row{
        group, name, std::move(value_name), std::move(help), list != nullptr, command_line_only};
    [[maybe_unused]] const bool is_new =
        targets.emplace(row.long_name(), Target{std::move(assign), list}).second;
    assert(is_new);
    rows.push_back(std::move(row));
  }

  [[nodiscard]] Assigned apply(const Settings& settings) const;
};

// Settings of one source, in order.
Assigned OptionTable::Impl::apply(const Settings& settings) const {
  for (const Setting& setting : settings) {
    const Target& target = targets.at(setting.name);
    if (target.list != nullptr) target.list->clear();
  }
  for (const Setting& setting : settings) {
    if (auto assigned = targets.at(setting.name).assign(setting.value); !assigned) {
      Error error = std::move(assigned.error());
      error.text = setting.origin + ": " + error.text;
      error.field = setting.name;
      return tl::unexpected(std::move(error));
    }
  }
  return {};
}

OptionTable::OptionTable(ProgramInfo info) : impl_(std::make_unique<Impl>()) {
  impl_->info = std::move(info);
  impl_->group = "General";
  const auto nothing = [](const std::string&) { return Assigned{}; };
  impl_->add("help,h", "", "Show this help and exit.", nothing);
  impl_->add("version", "", "Show the version and exit.", nothing);
  for (OptionRow& row : impl_->rows) row.command_line_only = true;
  impl_->add(
      "config", "FILE",
      "Read options from this file: lines 'name = value', '#' starts a comment. What may stand "
      "there may also be set by an environment variable: --log-level by TASKPIPE_LOG_LEVEL.",
      nothing);
  impl_->group = "Options";
}

OptionTable::~OptionTable() = default;

void OptionTable::group(std::string title) { impl_->group = std::move(title); }

void OptionTable::command_line_only(bool on) { impl_->command_line_only = on; }

void OptionTable::allow_positional() { impl_->positional_allowed = true; }

void OptionTable::flag(const std::string& name, bool& variable, std::string help) {
  if (variable) help += " [default: yes; --" + name.substr(0, name.find(',')) + "=no]";
  impl_->add(name, "", std::move(help), [&variable](const std::string& value) -> Assigned {
    const auto parsed = parse_flag(value);
    if (!parsed) return refused(in_quotes(value) + " is neither yes nor no");
    variable = *parsed;
    return {};
  });
}

void OptionTable::text(const std::string& name, std::string& variable, std::string value_name,
                       std::string help) {
  if (!variable.empty()) help += " [default: " + variable + "]";
  impl_->add(name, std::move(value_name), std::move(help),
             [&variable](const std::string& value) -> Assigned {
               variable = value;
               return {};
             });
}

void OptionTable::choice(const std::string& name, std::string& variable,
                         std::vector<std::string> choices, std::string help) {
  if (!variable.empty()) help += " [default: " + variable + "]";
  std::string value_name = joined(choices, "|");
  impl_->add(name, std::move(value_name), std::move(help),
             [&variable, choices = std::move(choices)](const std::string& value) -> Assigned {
               if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
                 return refused(in_quotes(value) + " is not one of " + joined(choices, ", "));
               }
               variable = value;
               return {};
             });
}

void OptionTable::list(const std::string& name, std::vector<std::string>& variable,
                       std::string value_name, std::string help) {
  help += " May be repeated.";
  if (!variable.empty()) help += " [default: " + joined(variable, ",") + "]";
  impl_->add(
      name, std::move(value_name), std::move(help),
      [&variable](const std::string& value) -> Assigned {
        variable.push_back(value);
        return {};
      },
      &variable);
}

void OptionTable::duration(const std::string& name, Millis& variable, Bounds<Millis> bounds,
                           std::string help) {
  const auto show = [](Millis value) { return process::to_text(value); };
  help += " [default: " + show(variable) + "]";
  impl_->add(name, "DURATION", std::move(help),
             [&variable, bounds, show](const std::string& value) -> Assigned {
               const auto parsed = parse_duration(value);
               if (!parsed) return tl::unexpected(parsed.error());
               variable = *parsed;
               return check_bounds(*parsed, bounds, show);
             });
}

void OptionTable::size(const std::string& name, std::uint64_t& variable,
                       Bounds<std::uint64_t> bounds, std::string help) {
  help += " [default: " + size_to_text(variable) + "]";
  impl_->add(name, "SIZE", std::move(help),
             [&variable, bounds](const std::string& value) -> Assigned {
               const auto parsed = parse_size(value);
               if (!parsed) return tl::unexpected(parsed.error());
               variable = *parsed;
               return check_bounds(*parsed, bounds, size_to_text);
             });
}

void OptionTable::number(const std::string& name, double& variable, Bounds<double> bounds,
                         std::string help) {
  const auto show = [](double value) { return to_text(value); };
  help += " [default: " + show(variable) + "]";
  impl_->add(name, "NUMBER", std::move(help),
             [&variable, bounds, show](const std::string& value) -> Assigned {
               const auto parsed = parse_number<double>(value);
               if (!parsed || !std::isfinite(*parsed)) {
                 return refused(in_quotes(value) + " is no number");
               }
               variable = *parsed;
               return check_bounds(*parsed, bounds, show);
             });
}

void OptionTable::add_integer(const std::string& name, Bounds<std::int64_t> bounds,
                              std::int64_t preset, std::function<void(std::int64_t)> assign,
                              std::string help) {
  const auto show = [](std::int64_t value) { return std::to_string(value); };
  help += " [default: " + show(preset) + "]";
  impl_->add(name, "N", std::move(help),
             [assign = std::move(assign), bounds, show](const std::string& value) -> Assigned {
               const auto parsed = parse_number<std::int64_t>(value);
               if (!parsed) return refused(in_quotes(value) + " is no whole number");
               if (auto checked = check_bounds(*parsed, bounds, show); !checked) return checked;
               assign(*parsed);
               return {};
             });
}

// --- Parsing ------------------------------------------------------------------------------------

tl::expected<ParsedOptions, Error> OptionTable::parse(int argc, const char* const* argv) const {
  return parse(OptionSources::of_process(argc, argv, impl_->info.config_name));
}

tl::expected<ParsedOptions, Error> OptionTable::parse(const OptionSources& sources) const {
  auto line = read_command_line(impl_->rows, sources.arguments);
  if (!line) return tl::unexpected(std::move(line.error()));
  ParsedOptions result;
  for (const Setting& setting : line->settings) {
    if (setting.name == "help") result.print = help();
    if (setting.name == "version") {
      result.print = impl_->info.program + " " + impl_->info.version + "\n";
    }
    if (result.print) return result;
  }
  if (!impl_->positional_allowed && !line->positional.empty()) {
    return tl::unexpected(Error{ErrorCode::invalid,
                                "unexpected argument " + in_quotes(line->positional.front()) +
                                    "; options begin with '--', see --help",
                                ""});
  }
  result.positional = std::move(line->positional);

  const Settings* const given = &line->settings;
  const Settings environment = read_environment(impl_->rows, sources);
  result.config_file = first_existing(sources.config_files);
  for (const Settings* source : std::initializer_list<const Settings*>{&environment, given}) {
    for (const Setting& setting : *source) {
      if (setting.name == "config") result.config_file = setting.value;
    }
  }
  Settings file;
  if (!result.config_file.empty()) {
    auto read = read_config_file(impl_->rows, result.config_file);
    if (!read) return tl::unexpected(std::move(read.error()));
    file = std::move(*read);
  }
  // From the weakest to the strongest, so that a mistake in any of them is found.
  for (const Settings* source :
       std::initializer_list<const Settings*>{&file, &environment, given}) {
    if (auto applied = impl_->apply(*source); !applied) return tl::unexpected(applied.error());
    result.settings.insert(result.settings.end(), source->begin(), source->end());
  }
  return result;
}

const std::vector<OptionRow>& OptionTable::rows() const { return impl_->rows; }

std::string OptionTable::help() const {
  std::string text = impl_->info.summary;
  text += "\n\nUsage: " + impl_->info.program + " " + impl_->info.usage + "\n";
  text += layout_help(impl_->rows, kHelpColumns);
  if (!impl_->info.epilogue.empty()) text += "\n" + impl_->info.epilogue + "\n";
  return text;
}

}  // namespace taskpipe::process
