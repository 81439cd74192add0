// Options of a program, from four sources. What comes first wins:
//
//   command line          --lease 30s   --lease=30s
//   environment           TASKPIPE_LEASE=30s        (an empty variable counts as not set)
//   configuration file    lease = 30s               (--config FILE, else the first that exists of
//                         $XDG_CONFIG_HOME/taskpipe/<config_name>.conf, ~/.config/taskpipe/…,
//                         /etc/taskpipe/…)
//   default               the value that the variable has when the option is declared
//
//   BrokerOptions o;
//   OptionTable table({.program = "taskpipe-broker", .config_name = "broker", .summary = "…"});
//   table.group("Network");
//   table.text("bind", o.bind, "ENDPOINT", "Where clients connect.");
//   table.duration("lease", o.lease, {Millis{1000}, Millis{3'600'000}}, "How long a worker may …");
//   const auto parsed = table.parse(argc, argv);
//   if (!parsed) { std::cerr << parsed.error().text << '\n'; return 2; }
//   if (parsed->print) { std::cout << *parsed->print; return 0; }
//
// Nothing is printed and nothing exits in here. --help, --version and --config are always there.
// The table refers to the variables, which must outlive it. One thread, at start-up.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/time.hpp"

namespace taskpipe::process {

inline constexpr unsigned kHelpColumns = 80;

struct ProgramInfo {
  std::string program;      // "taskpipe-broker"
  std::string config_name;  // "broker": names the default configuration files
  std::string summary;      // one sentence, first in --help
  std::string usage = "[options]";
  std::string version = {};   // what --version prints after the program's name
  std::string epilogue = {};  // examples and the like, last in --help
};

// Inclusive; what is left out is bounded by the type alone.
template <class T>
struct Bounds {
  T min = std::numeric_limits<T>::lowest();
  T max = std::numeric_limits<T>::max();
};
template <>
struct Bounds<Millis> {
  Millis min = Millis::zero();
  Millis max = Millis::max();
};

// Where options come from; tests make their own.
struct OptionSources {
  std::vector<std::string> arguments;  // without the program's name
  std::function<std::optional<std::string>(const std::string& name)> environment;
  std::vector<std::string> config_files;  // without --config: the first that exists is read

  [[nodiscard]] static OptionSources of_process(int argc, const char* const* argv,
                                                std::string_view config_name);
};

struct Setting {
  std::string name;
  std::string value;
  std::string origin;  // "--lease", "TASKPIPE_LEASE", "broker.conf:7: lease"
};

struct ParsedOptions {
  std::optional<std::string> print;     // --help or --version: print this and exit with 0
  std::string config_file;              // the one that was read; empty = none
  std::vector<std::string> positional;  // arguments that are no options
  std::vector<Setting> settings;        // what was set explicitly, for the log; later ones win
};

// An option as it was declared, for whoever describes a program: help, manuals, completion.
struct OptionRow {
  std::string group;
  std::string name;        // as declared: "lease" or "lease,l"
  std::string value_name;  // empty for a flag, whose value may only follow after '='
  std::string help;
  bool repeatable = false;
  bool command_line_only = false;

  [[nodiscard]] std::string long_name() const { return name.substr(0, name.find(',')); }
};

class OptionTable {
 public:
  explicit OptionTable(ProgramInfo info);
  OptionTable(const OptionTable&) = delete;
  OptionTable& operator=(const OptionTable&) = delete;
  ~OptionTable();

  // Options declared from here on stand under this title in --help.
  void group(std::string title);

  // Options declared from here on come from the command line alone (until switched off): they say
  // what this one call shall do, which a variable or file that all commands share cannot know.
  void command_line_only(bool on);

  // `name` is "lease", or "lease,l" with a one-letter form. Declaring a name twice is a bug.
  void flag(const std::string& name, bool& variable, std::string help);
  void text(const std::string& name, std::string& variable, std::string value_name,
            std::string help);
  // One of `choices`, which help and errors list.
  void choice(const std::string& name, std::string& variable, std::vector<std::string> choices,
              std::string help);
  // May be repeated on the command line and in the file; commas separate in the environment. The
  // values of one source replace those of the sources below it.
  void list(const std::string& name, std::vector<std::string>& variable, std::string value_name,
            std::string help);
  void duration(const std::string& name, Millis& variable, Bounds<Millis> bounds, std::string help);
  void size(const std::string& name, std::uint64_t& variable, Bounds<std::uint64_t> bounds,
            std::string help);
  void number(const std::string& name, double& variable, Bounds<double> bounds, std::string help);
  template <std::integral Int>
  void integer(const std::string& name, Int& variable, Bounds<Int> bounds,
               const std::string& help) {
    static_assert(sizeof(Int) < sizeof(std::int64_t) || std::signed_integral<Int>);
    add_integer(
        name, {bounds.min, bounds.max}, variable,
        [&variable](std::int64_t value) { variable = static_cast<Int>(value); }, help);
  }

  // Accept arguments that are no options; without this they are errors.
  void allow_positional();

  // Assigns the variables. Errors are INVALID: `text` names the source (option, variable, or file
  // and line), what was expected and, for an unknown name, the nearest known one; `field` is the
  // option's name. After an error the variables may hold anything.
  [[nodiscard]] tl::expected<ParsedOptions, Error> parse(const OptionSources& sources) const;
  [[nodiscard]] tl::expected<ParsedOptions, Error> parse(int argc, const char* const* argv) const;

  [[nodiscard]] std::string help() const;
  // In the order of declaration, --help, --version and --config first.
  [[nodiscard]] const std::vector<OptionRow>& rows() const;

 private:
  struct Impl;
  void add_integer(const std::string& name, Bounds<std::int64_t> bounds, std::int64_t preset,
                   std::function<void(std::int64_t)> assign, std::string help);

  std::unique_ptr<Impl> impl_;
};

}  // namespace taskpipe::process
