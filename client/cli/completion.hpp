// What may stand next on the command line, told from the very tables that the program parses with.
//
// The scripts that a shell loads (`shell_script`) hold no list of anything: at every TAB they ask
// the program, `taskpipe __complete WORDS…`, which answers one candidate per line.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace taskpipe::cli {

// The word that the shell scripts call the program with.
inline constexpr std::string_view kCompleteWord = "__complete";

struct Candidate {
  std::string text;
  std::string description;
};

// What only the broker knows.
enum class BrokerNames : std::uint8_t { none, tools, scripts, tasks, dead, workflows };

struct Completion {
  std::vector<Candidate> candidates;  // that begin with what is typed
  bool files = false;                 // names of files as well
  // To be asked of the broker: those that begin with `typed`.
  BrokerNames broker = BrokerNames::none;
  std::string typed;
  std::string tool;  // whose scripts
  // Goes before every candidate: "--color=" where the shell takes that for one word.
  std::string prefix;
};

// `words` are those after the program's name; the last one is being typed and may be empty.
[[nodiscard]] Completion complete(std::span<const std::string> words);

// The lines for the shell: "text<TAB>description", and at last ":files" where names of files do.
[[nodiscard]] std::string completion_lines(const Completion& completion);

// The script for "bash", "zsh" or "fish"; nothing for another shell.
[[nodiscard]] std::optional<std::string_view> shell_script(std::string_view shell);
[[nodiscard]] const std::vector<std::string>& known_shells();

}  // namespace taskpipe::cli
