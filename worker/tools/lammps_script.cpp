#include "worker/tools/lammps_script.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <utility>

#include "common/model/limits.hpp"
#include "worker/tools/lammps_variables.hpp"
#include "worker/tools/text.hpp"

namespace taskpipe::worker {
namespace {

// Commands that run steps we do not count, or decide by what the simulation finds.
constexpr std::array<std::string_view, 11> kUnforeseeable = {
    "if",  "include", "python", "rerun",     "temper", "neb",
    "prd", "tad",     "hyper",  "partition", "quit"};

std::string_view without_comment(std::string_view line) {
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      return line.substr(0, i);
    }
  }
  return line;
}

// The commands of a script: comments dropped, lines that end in & joined.
std::vector<std::string> commands_of(std::string_view script) {
  std::vector<std::string> result;
  std::string command;
  while (!script.empty()) {
    const auto end = std::min(script.find('\n'), script.size());
    const std::string_view line = trimmed(without_comment(script.substr(0, end)));
    script.remove_prefix(std::min(end + 1, script.size()));
    command += line;
    if (!command.empty() && command.back() == '&') {
      command.back() = ' ';
      continue;
    }
    // An & may join nothing with nothing.
    if (!trimmed(command).empty()) result.push_back(std::move(command));
    command.clear();
  }
  return result;
}

// Where an unquoted word ends: $(…) may contain blanks.
std::size_t end_of_word(std::string_view text) {
  int open = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (open > 0 || (text[i] == '(' && i > 0 && text[i - 1] == '$')) {
      if (text[i] == '(') ++open;
      if (text[i] == ')') --open;
    } else if (text[i] == ' ' || text[i] == '\t') {
      return i;
    }
  }
  return text.size();
}

// Words, with quotes around one taken off.
std::vector<std::string> words_of(std::string_view command) {
  std::vector<std::string> words;
  command = trimmed(command);
  while (!command.empty()) {
    std::size_t end = 0;
    if (command.front() == '"' || command.front() == '\'') {
      end = std::min(command.find(command.front(), 1), command.size());
      words.emplace_back(command.substr(1, end - 1));
      end = std::min(end + 1, command.size());
    } else {
      end = end_of_word(command);
      words.emplace_back(command.substr(0, end));
    }
    command = trimmed(command.substr(end));
  }
  return words;
}

class Follower {
 public:
  Follower(std::string_view script, const ValueMap& variables) : commands_(commands_of(script)) {
    for (const auto& [name, value] : variables) {
      variables_.define_index(name, {to_text(value)});
    }
    for (std::size_t i = 0; i < commands_.size(); ++i) {
      const auto words = words_of(commands_[i]);
      if (words.size() == 2 && words[0] == "label") labels_.emplace(words[1], i);
    }
  }

  LammpsRuns follow() {
    for (position_ = 0; position_ < commands_.size(); ++position_) {
      // A loop without end costs no more than a long script.
      if (!variables_.spend(commands_[position_].size())) {
        runs_.exact = false;
        break;
      }
      step(commands_[position_]);
    }
    return std::move(runs_);
  }

 private:
  void step(const std::string& command) {
    const auto raw = words_of(command);
    const std::string& verb = raw.front();
    if (std::find(kUnforeseeable.begin(), kUnforeseeable.end(), verb) != kUnforeseeable.end()) {
      runs_.exact = false;
    } else if (verb == "minimize" || verb == "read_restart") {
      current_step_.reset();
    } else if (verb == "variable" || verb == "next" || verb == "jump" || verb == "run" ||
               verb == "reset_timestep") {
      // Only what matters here is substituted: the rest may refer to the simulation.
      std::vector<std::string> words;
      bool known = true;
      for (const auto& word : raw) {
        auto text = variables_.substitute(word);
        known = known && text.has_value();
        words.push_back(text.value_or(std::string()));
      }
      act(verb, words, known);
    }
  }

  void act(const std::string& verb, const std::vector<std::string>& words, bool known) {
    if (verb == "variable") {
      auto arguments = std::vector<std::string>(words.begin() + 1, words.end());
      if (!known && arguments.size() > 1) arguments[1] = "?";  // a style of unknown value
      variables_.command(arguments);
    } else if (verb == "next" && words.size() > 1) {
      const auto more = variables_.next(words[1]);
      if (!more) runs_.exact = false;
      // When the values are used up, the jump that follows is not taken.
      skip_jump_ = !more.value_or(false);
    } else if (verb == "jump") {
      if (!std::exchange(skip_jump_, false)) jump(words);
    } else if (verb == "reset_timestep") {
      const auto step = words.size() > 1 && known ? parse_number(words[1]) : std::nullopt;
      current_step_ = step && *step >= 0 ? std::optional<double>(*step) : std::nullopt;
    } else if (verb == "run") {
      run(words, known);
    }
  }

  void jump(const std::vector<std::string>& words) {
    const auto label =
        words.size() == 3 && words[1] == "SELF" ? labels_.find(words[2]) : labels_.end();
    if (label == labels_.end()) {
      runs_.exact = false;
    } else {
      position_ = label->second;
    }
  }

  void run(const std::vector<std::string>& words, bool known) {
    auto steps = known && words.size() > 1 ? parse_number(words[1]) : std::nullopt;
    if (std::find(words.begin(), words.end(), "upto") != words.end()) {
      steps =
          steps && current_step_ ? std::optional<double>(*steps - *current_step_) : std::nullopt;
    }
    constexpr double kMaxSteps = 9e15;  // beyond, doubles are no longer exact
    if (!steps || *steps < 0 || *steps > kMaxSteps || *steps != std::floor(*steps)) {
      runs_.exact = false;
      runs_.steps.emplace_back();
      current_step_.reset();
      return;
    }
    runs_.steps.emplace_back(static_cast<std::uint64_t>(*steps));
    if (current_step_) *current_step_ += *steps;
  }

  std::vector<std::string> commands_;
  std::map<std::string, std::size_t, std::less<>> labels_;
  LammpsVariables variables_;
  LammpsRuns runs_;
  std::size_t position_ = 0;
  std::optional<double> current_step_ = 0.0;
  bool skip_jump_ = false;
};

}  // namespace

std::uint64_t LammpsRuns::known_total() const {
  std::uint64_t total = 0;
  for (const auto& count : steps) total += count.value_or(0);
  return total;
}

LammpsRuns analyse_lammps_script(std::string_view script, const ValueMap& variables) {
  if (script.size() >= limits::kMaxAnalysedScriptBytes) return LammpsRuns{{}, false};
  return Follower(script, variables).follow();
}

}  // namespace taskpipe::worker
