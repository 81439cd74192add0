#include "worker/tools/lammps_variables.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include "worker/tools/text.hpp"

namespace taskpipe::worker {
namespace {

constexpr int kMaxDepth = 16;  // of formulas that refer to formulas, and parentheses

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// As LAMMPS prints an equal-style variable (%.15g): integers stay integers.
std::string print_number(double value) {
  std::string text(32, '\0');
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 15);
  text.resize(static_cast<std::size_t>(end.ptr - text.data()));
  return text;
}

std::optional<double> apply_function(std::string_view name, double x) {
  if (name == "ceil") return std::ceil(x);
  if (name == "floor") return std::floor(x);
  if (name == "round") return std::round(x);
  if (name == "sqrt") return std::sqrt(x);
  if (name == "abs") return std::fabs(x);
  if (name == "exp") return std::exp(x);
  if (name == "ln") return std::log(x);
  if (name == "log") return std::log10(x);
  return std::nullopt;
}

}  // namespace

// Recursive descent over one formula. `position` moves through `text`; nothing = not known.
struct LammpsVariables::Evaluation {
  const LammpsVariables& variables;
  std::string_view text;
  int depth;
  std::size_t position = 0;

  char peek() {
    while (position < text.size() && (text[position] == ' ' || text[position] == '\t')) ++position;
    return position < text.size() ? text[position] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++position;
    return true;
  }

  std::optional<double> sum() {
    auto left = product();
    while (left && (peek() == '+' || peek() == '-')) {
      const bool plus = text[position++] == '+';
      const auto right = product();
      if (!right) return std::nullopt;
      left = plus ? *left + *right : *left - *right;
    }
    return left;
  }

  std::optional<double> product() {
    auto left = power();
    while (left && (peek() == '*' || peek() == '/' || peek() == '%')) {
      const char operation = text[position++];
      const auto right = power();
      if (!right || (operation != '*' && *right == 0.0)) return std::nullopt;
      left = operation == '*'   ? *left * *right
             : operation == '/' ? *left / *right
                                : std::fmod(*left, *right);
    }
    return left;
  }

  std::optional<double> power() {
    if (++depth > kMaxDepth) return std::nullopt;
    auto base = take('-') ? negated() : atom();
    if (base && take('^')) {
      const auto exponent = power();
      base = exponent ? std::optional<double>(std::pow(*base, *exponent)) : std::nullopt;
    }
    --depth;
    return base;
  }

  std::optional<double> negated() {
    const auto value = power();
    return value ? std::optional<double>(-*value) : std::nullopt;
  }

  std::optional<double> atom() {
    if (take('(')) {
      const auto inner = sum();
      return inner && take(')') ? inner : std::nullopt;
    }
    const char first = peek();
    if ((first >= '0' && first <= '9') || first == '.') return literal();
    const std::size_t start = position;
    while (position < text.size() && is_name_character(text[position])) ++position;
    const std::string_view name = text.substr(start, position - start);
    if (name == "PI") return 3.14159265358979323846;
    if (name.starts_with("v_")) return variables.number(name.substr(2), depth + 1);
    if (name.empty() || !take('(')) return std::nullopt;
    const auto argument = sum();
    return argument && take(')') ? apply_function(name, *argument) : std::nullopt;
  }

  std::optional<double> literal() {
    double value = 0.0;
    const char* begin = text.data() + position;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
    if (error != std::errc()) return std::nullopt;
    position += static_cast<std::size_t>(end - begin);
    return value;
  }
};

void LammpsVariables::define_index(std::string name, std::vector<std::string> values) {
  const std::size_t count = values.size();
  variables_[std::move(name)] = Variable{Style::list, std::move(values), 0.0, count, 0};
}

void LammpsVariables::command(const std::vector<std::string>& words) {
  if (words.size() < 2) return;
  const std::string& name = words[0];
  const std::string& style = words[1];
  const std::vector<std::string> arguments(words.begin() + 2, words.end());
  const bool defined = variables_.contains(name);
  if (style == "delete") {
    variables_.erase(name);
  } else if (style == "equal" && arguments.size() == 1) {
    // A formula replaces a formula; LAMMPS refuses to replace another style.
    variables_[name] = Variable{Style::formula, arguments, 0.0, 1, 0};
  } else if (style == "string" && arguments.size() == 1) {
    variables_[name] = Variable{Style::list, arguments, 0.0, 1, 0};
  } else if (style == "index" && !arguments.empty()) {
    if (!defined) define_index(name, arguments);
  } else if (style == "loop" && !arguments.empty()) {
    if (defined) return;
    const auto low = arguments.size() > 1 ? parse_number(arguments[0]) : 1.0;
    const auto high = parse_number(arguments[arguments.size() > 1 ? 1 : 0]);
    Variable loop;
    if (low && high && *high >= *low && *high - *low < limits::kMaxAnalysedCharacters) {
      loop = Variable{Style::loop, {}, *low, static_cast<std::size_t>(*high - *low) + 1, 0};
    }
    variables_[name] = std::move(loop);
  } else {
    variables_[name] = Variable{};
  }
}

std::optional<bool> LammpsVariables::next(std::string_view name) {
  const auto it = variables_.find(name);
  if (it == variables_.end()) return std::nullopt;
  Variable& variable = it->second;
  if (variable.style != Style::list && variable.style != Style::loop) return std::nullopt;
  if (++variable.current < variable.count) return true;
  variables_.erase(it);
  return false;
}

bool LammpsVariables::spend(std::size_t characters) const {
  budget_ -= std::min(budget_, characters);
  return budget_ > 0;
}

const LammpsVariables::Variable* LammpsVariables::find(std::string_view name, int depth) const {
  const auto it = variables_.find(name);
  return depth > kMaxDepth || it == variables_.end() ? nullptr : &it->second;
}

std::optional<std::string> LammpsVariables::value(std::string_view name, int depth) const {
  const Variable* variable = find(name, depth);
  if (variable == nullptr || variable->style == Style::unknown) return std::nullopt;
  if (variable->style == Style::list) return variable->values[variable->current];
  const auto result = number(name, depth);
  return result ? std::optional<std::string>(print_number(*result)) : std::nullopt;
}

std::optional<double> LammpsVariables::number(std::string_view name, int depth) const {
  const Variable* variable = find(name, depth);
  if (variable == nullptr) return std::nullopt;
  switch (variable->style) {
    case Style::unknown: return std::nullopt;
    case Style::formula: return evaluate(variable->values.front(), depth);
    case Style::list: return parse_number(variable->values[variable->current]);
    case Style::loop: return variable->first + static_cast<double>(variable->current);
  }
  return std::nullopt;
}

std::optional<double> LammpsVariables::evaluate(std::string_view expression) const {
  return evaluate(expression, 0);
}

std::optional<double> LammpsVariables::evaluate(std::string_view expression, int depth) const {
  if (!spend(expression.size() + 1)) return std::nullopt;
  Evaluation evaluation{*this, expression, depth};
  const auto result = evaluation.sum();
  if (!result || evaluation.peek() != '\0' || !std::isfinite(*result)) return std::nullopt;
  return result;
}

std::optional<std::string> LammpsVariables::substitute(std::string_view text) const {
  std::string out;
  while (!text.empty()) {
    if (text.front() != '$' || text.size() < 2) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    std::optional<std::string> found;
    std::size_t used = 2;
    if (text[1] == '{') {
      const auto end = text.find('}');
      if (end == std::string_view::npos) return std::nullopt;
      found = value(text.substr(2, end - 2), 0);
      used = end + 1;
    } else if (text[1] == '(') {
      int open = 0;
      std::size_t end = 1;
      for (; end < text.size(); ++end) {
        if (text[end] == '(') ++open;
        if (text[end] == ')' && --open == 0) break;
      }
      if (end == text.size()) return std::nullopt;
      const auto inner = text.substr(2, end - 2);
      const auto result = evaluate(inner.substr(0, inner.find(":%")), 0);
      if (result) found = print_number(*result);
      used = end + 1;
    } else {
      found = value(text.substr(1, 1), 0);
    }
    if (!found || !spend(found->size())) return std::nullopt;
    out += *found;
    text.remove_prefix(used);
  }
  return out;
}

}  // namespace taskpipe::worker
