#include "common/process/option_sources.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

namespace taskpipe::process {
namespace {

constexpr std::string_view kVariablePrefix = "TASKPIPE_";

std::string variable_name(const std::string& option) {
  std::string name(kVariablePrefix);
  for (const char c : option) {
    if (c >= 'a' && c <= 'z') {
      name += static_cast<char>(c - 'a' + 'A');
    } else {
      name += c == '-' ? '_' : c;
    }
  }
  return name;
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (;;) {
    const auto comma = text.find(',', begin);
    parts.push_back(text.substr(begin, comma - begin));
    if (comma == std::string::npos) return parts;
    begin = comma + 1;
  }
}

Error unreadable(const std::string& path, int problem) {
  return Error{ErrorCode::invalid,
               "cannot read the configuration file '" + path + "': " + std::strerror(problem) +
                   "; name another with --config",
               "config"};
}

}  // namespace

OptionSources OptionSources::of_process(int argc, const char* const* argv,
                                        std::string_view config_name) {
  OptionSources sources;
  if (argc > 1) sources.arguments.assign(argv + 1, argv + argc);
  sources.environment = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  const std::string file = "/taskpipe/" + std::string(config_name) + ".conf";
  const auto xdg = sources.environment("XDG_CONFIG_HOME");
  const auto home = sources.environment("HOME");
  if (xdg && !xdg->empty()) sources.config_files.push_back(*xdg + file);
  if (home && !home->empty()) sources.config_files.push_back(*home + "/.config" + file);
  sources.config_files.push_back("/etc" + file);
  return sources;
}

std::vector<Setting> read_environment(const std::vector<OptionRow>& rows,
                                      const OptionSources& sources) {
  std::vector<Setting> settings;
  if (!sources.environment) return settings;
  for (const OptionRow& row : rows) {
    if (row.command_line_only) continue;
    const std::string variable = variable_name(row.long_name());
    const auto value = sources.environment(variable);
    if (!value || value->empty()) continue;
    if (!row.repeatable) {
      settings.push_back({row.long_name(), *value, variable});
      continue;
    }
    for (std::string& part : split_at_commas(*value)) {
      settings.push_back({row.long_name(), std::move(part), variable});
    }
  }
  return settings;
}

std::string first_existing(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) return path;
  }
  return "";
}

tl::expected<std::vector<Setting>, Error> read_config_file(const std::vector<OptionRow>& rows,
                                                           const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return tl::unexpected(unreadable(path, errno));
  if (S_ISDIR(status.st_mode)) return tl::unexpected(unreadable(path, EISDIR));
  errno = 0;
  std::ifstream file(path);
  if (!file.is_open()) return tl::unexpected(unreadable(path, errno));
  return read_config(rows, file, path);
}

}  // namespace taskpipe::process
