#include "client/cli/app.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "client/cli/commands/commands.hpp"
#include "client/cli/completion.hpp"
#include "client/cli/display_text.hpp"
#include "client/cli/manual.hpp"
#include "common/process/suggestion.hpp"

namespace taskpipe::cli {
namespace {

constexpr std::size_t kUsageColumns = 28;

std::string usage_of(const Command& command) {
  return command.name + (command.arguments.empty() ? "" : " " + command.arguments);
}

std::string overview() {
  std::string text =
      "taskpipe submits simulation tasks to a broker, watches them and reads their results.\n\n"
      "Usage: taskpipe COMMAND [arguments] [options]\n";
  std::string_view group;
  for (const Command& command : all_commands()) {
    if (group != command.group) text += "\n" + command.group + ":\n";
    group = command.group;
    text += "  " + padded(usage_of(command), kUsageColumns) + command.summary + "\n";
  }
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

ExitCode complain(Console& console, bool json, std::string text) {
  return complain_of_usage(console, json, Error{ErrorCode::invalid, std::move(text), {}});
}

// `words` name no command. `asked` stands before the commands that are listed: "man ".
ExitCode unknown_command(Console& console, bool json, std::span<const std::string> words,
                         const std::string& asked = "") {
  const std::string& word = words.front();
  if (const auto seconds = second_words(word); !seconds.empty()) {
    const bool has_second = words.size() > 1 && !words[1].starts_with('-');
    const std::string near = has_second ? process::nearest_name(words[1], seconds) : "";
    std::string text =
        "taskpipe: '" + word + "' is the first word of several commands; add " + "the second";
    if (has_second) text = "taskpipe: '" + word + "' has no '" + printable(words[1]) + "'";
    if (!near.empty()) text += "; did you mean '" + near + "'?";
    for (const Command& command : all_commands()) {
      if (!command.name.starts_with(word + " ")) continue;
      text += "\n  taskpipe " + asked;
      text += padded(asked.empty() ? usage_of(command) : command.name, kUsageColumns);
      text += command.summary;
    }
    return complain(console, json, std::move(text));
  }
  std::vector<std::string> names;
  for (const Command& command : all_commands()) {
    names.push_back(command.name.substr(0, command.name.find(' ')));
  }
  const std::string near = process::nearest_name(word, names);
  return complain(console, json,
                  "taskpipe: there is no command '" + printable(word) + "'" +
                      (near.empty() ? "" : "; did you mean '" + near + "'?") +
                      "\n  'taskpipe help' lists the commands");
}

// "submit foo": the command is there, and what follows its name is too much.
std::optional<Error> stray_word(std::span<const std::string> words) {
  const FoundCommand found = find_command(words);
  if (found.command == nullptr || found.words == words.size()) return std::nullopt;
  return Error{ErrorCode::invalid,
               "unexpected argument '" + words[found.words] + "' after the command '" +
                   found.command->name + "'",
               {}};
}

ExitCode explain(Console& console, const Command& command) {
  Invocation call(command, {{"--help"}, {}, {}}, console);
  return command.run(call);
}

ExitCode help_about(Console& console, bool json, std::span<const std::string> words) {
  if (words.empty()) {
    console.out << overview();
    return ExitCode::success;
  }
  if (const FoundCommand found = find_command(words); found.command != nullptr) {
    return explain(console, *found.command);
  }
  const bool all_of_several = words.size() == 1 && !second_words(words.front()).empty();
  if (!all_of_several) return unknown_command(console, json, words);
  bool first = true;
  for (const Command& command : all_commands()) {
    if (!command.name.starts_with(words.front() + " ")) continue;
    if (!std::exchange(first, false)) console.out << '\n';
    explain(console, command);
  }
  return ExitCode::success;
}

}  // namespace

ExitCode run_help(Invocation& call) {
  if (const auto end = call.parse({0, 2})) return *end;
  if (const auto stray = stray_word(call.arguments())) return call.usage_error(*stray);
  return help_about(call.console(), call.json(), call.arguments());
}

ExitCode run_man(Invocation& call) {
  if (const auto end = call.parse({0, 2})) return *end;
  const auto& words = call.arguments();
  if (words.empty()) {
    call.out() << manual_page();
    return ExitCode::success;
  }
  if (const auto stray = stray_word(words)) return call.usage_error(*stray);
  const FoundCommand found = find_command(words);
  if (found.command == nullptr) {
    return unknown_command(call.console(), call.json(), words, "man ");
  }
  call.out() << manual_page(*found.command);
  return ExitCode::success;
}

ExitCode run_version(Invocation& call) {
  if (const auto end = call.parse({0, 0})) return *end;
  if (call.json()) {
    call.print(ValueMap{{"version", TASKPIPE_VERSION}});
  } else {
    call.out() << "taskpipe " << TASKPIPE_VERSION << '\n';
  }
  return ExitCode::success;
}

ExitCode run(const process::OptionSources& sources, Console& console) {
  const std::span<const std::string> words = sources.arguments;
  if (!words.empty() && words.front() == kCompleteWord) {
    process::OptionSources typed = sources;
    typed.arguments.erase(typed.arguments.begin());
    return answer_completion(typed, console);
  }
  const std::size_t at = leading_options(words);
  const auto before = words.first(at);
  const auto rest = words.subspan(at);
  const auto asked = [&before](std::string_view option) {
    return std::find(before.begin(), before.end(), option) != before.end();
  };
  if (asked("--version")) {
    console.out << "taskpipe " << TASKPIPE_VERSION << '\n';
    return ExitCode::success;
  }
  if (asked("--help") || asked("-h")) return help_about(console, asks_for_json(sources), rest);
  if (words.empty()) {
    console.complain(overview());
    return ExitCode::usage;
  }
  if (rest.empty()) {
    return complain(console, asks_for_json(sources),
                    "taskpipe: there is no command behind '" + printable(words.back()) +
                        "'\n  'taskpipe help' lists the commands");
  }
  const FoundCommand found = find_command(rest);
  if (found.command == nullptr) {
    return unknown_command(console, asks_for_json(sources), rest);
  }
  process::OptionSources others = sources;
  others.arguments.assign(before.begin(), before.end());
  others.arguments.insert(others.arguments.end(),
                          rest.begin() + static_cast<std::ptrdiff_t>(found.words), rest.end());
  Invocation call(*found.command, std::move(others), console);
  return found.command->run(call);
}

}  // namespace taskpipe::cli
