// One call of one command: its options, its console, its client.
//
//   ExitCode run_wait(Invocation& call) {
//     bool any = false;
//     call.options().flag("any", any, "…");
//     if (const auto end = call.parse({1, kAnyNumber})) return *end;   // help shown, or an error
//     const auto result = call.client().wait(id, call.waiting());
//     if (!result) return call.fail(result.error());
//     …
//   }
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/console.hpp"
#include "client/cli/exit_code.hpp"
#include "client/cli/interrupts.hpp"
#include "common/process/options.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::cli {

class Invocation;

struct Command {
  std::string group;      // title that the overview lists it under
  std::string name;       // "submit"; "workflow submit" has two words
  std::string arguments;  // "TOOL [SCRIPT]"
  std::string summary;    // one sentence
  std::string examples;   // for --help, a line each
  ExitCode (*run)(Invocation& call);
};

inline constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();

struct ArgumentCount {
  std::size_t least = 0;
  std::size_t most = 0;
};

// What a command takes, as it declares it itself: help, manual and completion all come from here.
struct CommandForm {
  std::vector<process::OptionRow> options;
  ArgumentCount arguments;
};
// Runs the command as far as `parse`, which tells the form and ends it.
[[nodiscard]] CommandForm form_of(const Command& command);

// Whether --json or TASKPIPE_JSON asks for it: for what goes wrong before the options are read.
[[nodiscard]] bool asks_for_json(const process::OptionSources& sources);

// What is wrong with the use of the program, on stderr: as a document with `json`.
ExitCode complain_of_usage(Console& console, bool json, const Error& error);

// Where users set what every command has: --broker and the like. Name of the configuration file.
inline constexpr std::string_view kConfigName = "client";

class Invocation {
 public:
  // `sources.arguments` is what follows the command's name.
  Invocation(const Command& command, process::OptionSources sources, Console& console);

  // Declare the command's own options here, then parse, which adds those of every command. Nothing
  // else may be done before.
  [[nodiscard]] process::OptionTable& options() { return table_; }
  // Nothing: go on. Else the code to end with: --help was shown, or what is wrong was reported.
  [[nodiscard]] std::optional<ExitCode> parse(ArgumentCount count);

  [[nodiscard]] const std::vector<std::string>& arguments() const { return arguments_; }
  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] Console& console() { return console_; }
  [[nodiscard]] std::ostream& out() { return console_.out; }

  // Connects on first use. From then on Ctrl-C ends the calls that are given `asking` or `waiting`.
  [[nodiscard]] Client& client();
  // For requests: the client's own timeout. `waiting`: nothing ends them but `timeout`; 0 = none.
  [[nodiscard]] CallOptions asking();
  [[nodiscard]] CallOptions waiting(Millis timeout = Millis::zero());

  // Report on stderr, as a document with --json, and return the code to end with.
  ExitCode fail(const ClientError& error);
  ExitCode usage_error(const Error& error);
  ExitCode usage_error(std::string text);
  // The same for a wait: the tasks go on, and this says how to.
  ExitCode fail_waiting(const ClientError& error, const std::string& ids);

  // One JSON document on stdout, with its line's end; flushed, so that streams arrive.
  void print(const Value& document);

 private:
  friend CommandForm form_of(const Command& command);

  void declare_common_options();
  void report(const ClientError& error);
  // An empty value is a variable of a script that was never set.
  [[nodiscard]] std::optional<Error> empty_value(const process::ParsedOptions& parsed) const;

  const Command& command_;
  process::OptionSources sources_;
  Console& console_;
  process::OptionTable table_;
  ClientOptions client_options_;
  bool json_ = false;
  std::string color_ = "auto";
  std::vector<std::string> arguments_;
  CommandForm* form_ = nullptr;  // to be told by `parse`
  // Destroyed in reverse: the client's threads end before signals take their course again.
  std::optional<Interrupts> interrupts_;
  std::optional<Client> client_;
};

}  // namespace taskpipe::cli
