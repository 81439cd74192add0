// Every command, in the order of the overview. Help, manual and completion are made from this table
// and from what the commands declare, so that they cannot disagree with the program.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "client/cli/invocation.hpp"

namespace taskpipe::cli {

[[nodiscard]] const std::vector<Command>& all_commands();

// The command that the first of `words` name, and how many words that takes; null when there is
// none.
struct FoundCommand {
  const Command* command = nullptr;
  std::size_t words = 0;
};
[[nodiscard]] FoundCommand find_command(std::span<const std::string> words);

// How many words at the beginning are options of every command and their values:
// "--broker HOST list" has two.
[[nodiscard]] std::size_t leading_options(std::span<const std::string> words);

// "run", "status", … for the commands that begin with `word`; empty where it is none of several.
[[nodiscard]] std::vector<std::string> second_words(const std::string& word);

}  // namespace taskpipe::cli
