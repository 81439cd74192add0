#include "client/cli/app.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "client/cli/commands/commands.hpp"
#include "client/cli/display_text.hpp"
#include "common/process/suggestion.hpp"

namespace taskpipe::cli {
namespace {

// Options of every command that take a value in the next word, for finding the command behind them.
constexpr std::array<std::string_view, 8> kOptionsWithValue = {
    "--broker",          "-b",      "--events", "--user", "--connect-timeout",
    "--request-timeout", "--color", "--config"};

std::string overview() {
  std::string text =
      "taskpipe submits simulation tasks to a broker, watches them and reads their results.\n\n"
      "Usage: taskpipe COMMAND [arguments] [options]\n\nCommands:\n";
  const auto line = [&text](const std::string& what, const std::string& summary) {
    text += "  " + padded(what, 28) + summary + "\n";
  };
  for (const Command& command : all_commands()) {
    line(command.name + (command.arguments.empty() ? "" : " " + command.arguments),
         command.summary);
  }
  line("version", "Show the version.");
  line("help [COMMAND]", "Show this, or all about a command.");
  text +=
      "\nEvery command takes --broker ADDRESS (or TASKPIPE_BROKER; else tcp://127.0.0.1:7610) and\n"
      "--json, which prints for programs. An ID may be cut to its first digits (8 or more) where\n"
      "they are unique.\n\n"
      "Examples:\n"
      "  taskpipe submit lammps example.lammps -p steps=1000 --follow\n"
      "  taskpipe list --state running\n"
      "  taskpipe result 019a3f0c\n\n";
  text += exit_code_help();
  return text;
}

std::vector<std::string> command_words() {
  std::vector<std::string> words = {"help", "version"};
  for (const Command& command : all_commands()) {
    words.push_back(command.name.substr(0, command.name.find(' ')));
  }
  return words;
}

ExitCode unknown_command(Console& console, const std::string& word) {
  const std::string near = process::nearest_name(word, command_words());
  console.complain("taskpipe: there is no command '" + printable(word) + "'" +
                   (near.empty() ? "" : "; did you mean '" + near + "'?") +
                   "\n  'taskpipe help' lists the commands");
  return ExitCode::usage;
}

// The command that the words at `at` name, and how many words that takes; null when there is none.
struct Found {
  const Command* command = nullptr;
  std::size_t words = 0;
};
Found find_command(const std::vector<std::string>& words, std::size_t at) {
  for (const Command& command : all_commands()) {
    const auto space = command.name.find(' ');
    if (words[at] != command.name.substr(0, space)) continue;
    if (space == std::string::npos) return {&command, 1};
    if (at + 1 < words.size() && words[at + 1] == command.name.substr(space + 1)) {
      return {&command, 2};
    }
  }
  return {};
}

// Where the command stands: the first word that is neither an option nor an option's value.
std::size_t find_command_word(const std::vector<std::string>& words) {
  std::size_t at = 0;
  while (at < words.size() && words[at].starts_with('-')) {
    const bool takes_next = std::find(kOptionsWithValue.begin(), kOptionsWithValue.end(),
                                      words[at]) != kOptionsWithValue.end();
    at += takes_next ? 2 : 1;
  }
  return std::min(at, words.size());
}

ExitCode help_about(Console& console, const std::vector<std::string>& words, std::size_t at) {
  if (at >= words.size()) {
    console.out << overview();
    return ExitCode::success;
  }
  const Found found = find_command(words, at);
  if (found.command == nullptr) {
    // "help workflow" means its only sub-command.
    for (const Command& command : all_commands()) {
      if (!command.name.starts_with(words[at] + " ")) continue;
      Invocation call(command, {{"--help"}, {}, {}}, console);
      return command.run(call);
    }
    return unknown_command(console, words[at]);
  }
  Invocation call(*found.command, {{"--help"}, {}, {}}, console);
  return found.command->run(call);
}

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = {
      {"submit", "TOOL [SCRIPT]", "Submit a task and print its id.",
       "  taskpipe submit lammps example.lammps -p steps=1000\n"
       "  taskpipe submit fenicsx poisson.py -p mesh_size=64 --cpus 2 --follow\n"
       "  taskpipe submit fenicsx --script mine.py --params params.json --timeout 10m\n"
       "  id=$(taskpipe submit lammps example.lammps) && taskpipe wait \"$id\"\n",
       &run_submit},
      {"workflow submit", "FILE", "Submit a workflow from a JSON file and print its id.",
       "  taskpipe workflow submit flow.json --follow\n"
       "  taskpipe result --workflow \"$(taskpipe workflow submit flow.json)\"\n",
       &run_workflow_submit},
      {"wait", "ID...", "Wait until tasks have ended, and print how.",
       "  taskpipe wait --any 019a3f0c 019a3f0d --timeout 5m\n", &run_wait},
      {"monitor", "ID...", "Show the progress of tasks until they have ended.",
       "  taskpipe monitor --workflow 019a3f0c55d0b1a2c3d4e5f600000000\n", &run_monitor},
      {"status", "ID...", "Show the state of tasks.", "", &run_status},
      {"list", "", "List tasks, newest first.",
       "  taskpipe list --state failed --tool lammps --limit 20\n", &run_list},
      {"logs", "ID", "Print what a task writes.", "  taskpipe logs --follow --stderr 019a3f0c\n",
       &run_logs},
      {"result", "ID...", "Show how tasks ended: exit code, metrics, artifacts, output.",
       "  taskpipe result --json 019a3f0c | jq -r '.artifacts[]'\n", &run_result},
      {"cancel", "ID...", "Cancel tasks; running ones are stopped.",
       "  taskpipe cancel --grace 10s 019a3f0c\n", &run_cancel},
      {"tools", "", "List the tools that workers offer.", "", &run_tools},
      {"workers", "", "List the workers.", "", &run_workers},
      {"health", "", "Tell whether the broker is well; exit code 1 if it is not.", "",
       &run_health}};
  return commands;
}

ExitCode run(const process::OptionSources& sources, Console& console) {
  const std::vector<std::string>& words = sources.arguments;
  const std::size_t at = find_command_word(words);
  const auto before_command = [&](std::string_view option) {
    return std::find(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at), option) !=
           words.begin() + static_cast<std::ptrdiff_t>(at);
  };
  if (before_command("--version") || (at < words.size() && words[at] == "version")) {
    console.out << "taskpipe " << TASKPIPE_VERSION << '\n';
    return ExitCode::success;
  }
  if (before_command("--help") || before_command("-h")) return help_about(console, words, at);
  if (at == words.size()) {
    console.complain(overview());
    return ExitCode::usage;
  }
  if (words[at] == "help") return help_about(console, words, at + 1);
  const Found found = find_command(words, at);
  if (found.command == nullptr) {
    if (words[at] == "workflow") {
      console.complain(
          "taskpipe: 'workflow' needs to know what to do: taskpipe workflow submit FILE");
      return ExitCode::usage;
    }
    return unknown_command(console, words[at]);
  }
  process::OptionSources rest = sources;
  rest.arguments.assign(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
  rest.arguments.insert(rest.arguments.end(),
                        words.begin() + static_cast<std::ptrdiff_t>(at + found.words), words.end());
  Invocation call(*found.command, std::move(rest), console);
  return found.command->run(call);
}

}  // namespace taskpipe::cli
