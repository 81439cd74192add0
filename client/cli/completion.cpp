#include "client/cli/completion.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "client/cli/command_table.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/retry_policy.hpp"

namespace taskpipe::cli {
namespace {

using process::OptionRow;

void offer(Completion& completion, const std::string& text, const std::string& description) {
  if (text.starts_with(completion.typed)) completion.candidates.push_back({text, description});
}

// --- Commands -----------------------------------------------------------------------------------

// The first words, or after "workflow" the second ones.
void offer_commands(Completion& completion, const std::string& first) {
  std::set<std::string> offered;
  for (const Command& command : all_commands()) {
    const auto space = command.name.find(' ');
    const std::string word = command.name.substr(0, space);
    if (!first.empty()) {
      if (word != first || space == std::string::npos) continue;
      offer(completion, command.name.substr(space + 1), command.summary);
    } else if (offered.insert(word).second) {
      std::string what = command.summary;
      if (space != std::string::npos) {
        what.clear();
        for (const auto& second : second_words(word)) what += (what.empty() ? "" : ", ") + second;
      }
      offer(completion, word, what);
    }
  }
}

// --- Options ------------------------------------------------------------------------------------

std::string short_form(const OptionRow& row) {
  const auto comma = row.name.find(',');
  return comma == std::string::npos ? "" : "-" + row.name.substr(comma + 1);
}

const OptionRow* find_option(const CommandForm& form, const std::string& word) {
  const auto found =
      std::find_if(form.options.begin(), form.options.end(), [&word](const OptionRow& row) {
        return word == "--" + row.long_name() || word == short_form(row);
      });
  return found == form.options.end() ? nullptr : &*found;
}

// The first sentence, without the default.
std::string first_sentence(const std::string& help) {
  const auto stop = help.find(". ");
  return help.substr(0, stop == std::string::npos ? help.find('[') : stop);
}

void offer_options(Completion& completion, const CommandForm& form) {
  for (const OptionRow& row : form.options) {
    offer(completion, "--" + row.long_name(), first_sentence(row.help));
  }
}

// One more of a list with commas: those that are not in it yet.
void offer_classes(Completion& completion) {
  const auto comma = completion.typed.rfind(',');
  const std::string before =
      comma == std::string::npos ? "" : completion.typed.substr(0, comma + 1);
  for (const std::string& name : retryable_names()) {
    if (("," + before).find("," + name + ",") == std::string::npos) {
      offer(completion, before + name, "");
    }
  }
}

// What the name of a value says: "FILE", "auto|always|never", "TOOL", …
void offer_value(Completion& completion, const std::string& value_name) {
  if (value_name.starts_with("FILE") || value_name == "DIR") completion.files = true;
  if (value_name == "TOOL") completion.broker = BrokerNames::tools;
  if (value_name == "ID" || value_name == "WORKFLOW") completion.broker = BrokerNames::workflows;
  if (value_name == "CLASSES") offer_classes(completion);
  if (value_name == "STATE") {
    for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(kLastTaskState); ++i) {
      offer(completion, std::string(status_word(static_cast<TaskState>(i))), "");
    }
  }
  for (std::size_t at = 0; value_name.find('|') != std::string::npos && at <= value_name.size();) {
    const auto end = std::min(value_name.find('|', at), value_name.size());
    offer(completion, value_name.substr(at, end - at), "");
    at = end + 1;
  }
}

// --- Arguments ----------------------------------------------------------------------------------

// "TOOL [SCRIPT]" as {"TOOL", "SCRIPT"}; "ID..." as {"ID..."}.
std::vector<std::string> argument_names(const std::string& arguments) {
  std::vector<std::string> names(1);
  for (const char c : arguments) {
    if (c == ' ') names.emplace_back();
    if (c != ' ' && c != '[' && c != ']') names.back() += c;
  }
  return names;
}

void offer_argument(Completion& completion, const Command& command,
                    const std::vector<std::string>& before) {
  const auto names = argument_names(command.arguments);
  const bool repeats = names.back().ends_with("...");
  const bool two_words = names.back() == "COMMAND";  // "workflow run"
  if (before.size() >= names.size() && !repeats && !two_words) return;
  std::string name = names[std::min(before.size(), names.size() - 1)];
  if (repeats) name.erase(name.find("..."));
  if (name == "ID") {
    completion.broker = command.name.starts_with("dead ") ? BrokerNames::dead : BrokerNames::tasks;
  } else if (name == "SCRIPT") {
    completion.broker = BrokerNames::scripts;
    completion.tool = before.front();
  } else if (name == "COMMAND") {
    offer_commands(completion, before.empty() ? "" : before.front());
  } else {
    offer_value(completion, name);
  }
}

// bash takes '=' for a word of its own: "--color", "=", "al".
std::vector<std::string> rejoined(std::span<const std::string> words, bool& joined_last) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool is_equals = words[i] == "=" && !result.empty() && result.back().starts_with("--") &&
                           result.back().find('=') == std::string::npos;
    if (!is_equals) {
      result.push_back(words[i]);
      continue;
    }
    result.back() += "=";
    if (i + 1 < words.size()) result.back() += words[++i];
    joined_last = i + 1 == words.size();
  }
  return result;
}

// The arguments that are no options, up to the word being typed. Sets `value_of` where that word
// is the value of the option before it.
std::vector<std::string> split(const CommandForm& form, std::span<const std::string> words,
                               const OptionRow*& value_of) {
  std::vector<std::string> arguments;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (!words[i].starts_with('-')) {
      arguments.push_back(words[i]);
      continue;
    }
    const OptionRow* row = find_option(form, words[i]);
    if (row == nullptr || row->value_name.empty()) continue;
    if (i + 2 == words.size()) value_of = row;
    ++i;
  }
  return arguments;
}

}  // namespace

Completion complete(std::span<const std::string> typed) {
  bool split_by_shell = false;
  const std::vector<std::string> joined = rejoined(typed, split_by_shell);
  std::span<const std::string> words = joined;
  Completion completion;
  if (words.empty()) return completion;
  completion.typed = words.back();
  const Command* command = nullptr;
  const std::size_t at = leading_options(words.first(words.size() - 1));
  std::vector<std::string> kept(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
  const auto rest = words.subspan(at);
  if (const auto found = find_command(rest.first(rest.size() - 1)); found.command != nullptr) {
    command = found.command;
    kept.insert(kept.end(), rest.begin() + static_cast<std::ptrdiff_t>(found.words), rest.end());
  } else {
    kept.insert(kept.end(), rest.begin(), rest.end());
  }
  const CommandForm form = form_of(command == nullptr ? all_commands().front() : *command);
  const OptionRow* value_of = nullptr;
  const std::vector<std::string> arguments = split(form, kept, value_of);

  const auto equals = completion.typed.find('=');
  if (completion.typed.starts_with("--") && equals != std::string::npos) {
    value_of = find_option(form, completion.typed.substr(0, equals));
    if (!split_by_shell) completion.prefix = completion.typed.substr(0, equals + 1);
    completion.typed.erase(0, equals + 1);
    if (value_of == nullptr) return completion;
  }
  if (value_of != nullptr) {
    offer_value(completion, value_of->value_name);
  } else if (completion.typed.starts_with('-')) {
    offer_options(completion, form);
  } else if (command != nullptr) {
    offer_argument(completion, *command, arguments);
  } else {
    offer_commands(completion, arguments.empty() ? "" : arguments.front());
  }
  return completion;
}

std::string completion_lines(const Completion& completion) {
  std::string lines;
  for (const Candidate& candidate : completion.candidates) {
    lines += completion.prefix + candidate.text + "\t" + candidate.description + "\n";
  }
  return completion.files ? lines + ":files\n" : lines;
}

}  // namespace taskpipe::cli
