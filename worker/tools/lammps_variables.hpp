// The variables of a LAMMPS script, as far as step counts need them. A part of lammps_script.
//
// Scripts come with tasks, so they may be built to make us work: formulas that multiply, loops
// without end, texts that double. All of it is paid from one budget of characters
// (limits::kMaxAnalysedCharacters), and once that is spent everything is unknown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/limits.hpp"

namespace taskpipe::worker {

class LammpsVariables {
 public:
  // Variables given on the command line have style index.
  void define_index(std::string name, std::vector<std::string> values);
  // `words` is what follows the word `variable`: name, style, arguments.
  void command(const std::vector<std::string>& words);
  // Advances to the next value; false when there was none left, and the variable is gone.
  // Nothing when the variable is unknown.
  std::optional<bool> next(std::string_view name);

  // Replaces ${name}, $x and $(expression[:%format]); nothing when one cannot be known.
  [[nodiscard]] std::optional<std::string> substitute(std::string_view text) const;
  [[nodiscard]] std::optional<double> evaluate(std::string_view expression) const;
  // False once the budget is spent.
  bool spend(std::size_t characters) const;

 private:
  enum class Style : std::uint8_t { unknown, formula, list, loop };
  struct Variable {
    Style style = Style::unknown;
    std::vector<std::string> values;  // of a list; the text of a formula
    double first = 0.0;               // of a loop
    std::size_t count = 0;            // of a list or loop
    std::size_t current = 0;
  };
  struct Evaluation;

  [[nodiscard]] std::optional<std::string> value(std::string_view name, int depth) const;
  [[nodiscard]] std::optional<double> number(std::string_view name, int depth) const;
  [[nodiscard]] std::optional<double> evaluate(std::string_view expression, int depth) const;

  [[nodiscard]] const Variable* find(std::string_view name, int depth) const;

  std::map<std::string, Variable, std::less<>> variables_;
  mutable std::size_t budget_ = limits::kMaxAnalysedCharacters;
};

}  // namespace taskpipe::worker
