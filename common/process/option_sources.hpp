// Where options.cpp gets its text from: command line, environment, configuration file; and the
// layout of --help. Values stay text here; what they mean is options.cpp's matter.
//
// boost_options.cpp implements what is Boost.Program_options' business (the syntax of command line
// and file, the layout), option_sources.cpp the rest.
#pragma once

#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/process/options.hpp"

namespace taskpipe::process {

struct CommandLine {
  std::vector<Setting> settings;  // in the order given; a bare flag has the value "true"
  std::vector<std::string> positional;
};

[[nodiscard]] tl::expected<CommandLine, Error> read_command_line(
    const std::vector<OptionRow>& rows, const std::vector<std::string>& arguments);

[[nodiscard]] std::vector<Setting> read_environment(const std::vector<OptionRow>& rows,
                                                    const OptionSources& sources);

// The first that exists, or "". One that exists but cannot be opened counts: that is an error.
[[nodiscard]] std::string first_existing(const std::vector<std::string>& paths);

[[nodiscard]] tl::expected<std::vector<Setting>, Error> read_config_file(
    const std::vector<OptionRow>& rows, const std::string& path);

// `path` is for messages. Keys of a [section] are named "section.key".
[[nodiscard]] tl::expected<std::vector<Setting>, Error> read_config(
    const std::vector<OptionRow>& rows, std::istream& input, const std::string& path);

// Groups in the order of their first option.
[[nodiscard]] std::string layout_help(const std::vector<OptionRow>& rows, unsigned columns);

}  // namespace taskpipe::process
