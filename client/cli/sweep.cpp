#include "client/cli/sweep.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include "client/cli/assignments.hpp"

namespace taskpipe::cli {
namespace {

tl::unexpected<Error> no_axis(const std::string& key, std::string why,
                              ErrorCode code = ErrorCode::invalid) {
  return tl::unexpected(Error{code, std::move(why), key.empty() ? "params" : "params." + key});
}

// At the commas that stand in no bracket and no quotes; nothing where one is not closed, since
// the values after it would all be taken for one.
std::optional<std::vector<std::string>> split_values(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\' && i + 1 < text.size()) {
      parts.back() += c;
      parts.back() += text[++i];
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == '[' || c == '{')) ++depth;
    if (!quoted && (c == ']' || c == '}')) --depth;
    if (c == ',' && !quoted && depth <= 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (quoted || depth != 0) return std::nullopt;
  return parts;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc() || rest != end) return std::nullopt;
  return value;
}

struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t step = 1;
};

// "1..5", "0..100..25"; anything else is no range.
std::optional<Range> range_of(std::string_view text) {
  const auto dots = text.find("..");
  if (dots == std::string_view::npos) return std::nullopt;
  std::string_view rest = text.substr(dots + 2);
  const auto more = rest.find("..");
  const auto first = whole_number(text.substr(0, dots));
  const auto last = whole_number(rest.substr(0, more));
  const auto step = more == std::string_view::npos ? std::optional<std::int64_t>(1)
                                                   : whole_number(rest.substr(more + 2));
  if (!first || !last || !step) return std::nullopt;
  return Range{*first, *last, *step};
}

// Numbers with ".." between them: nobody means a text by that.
bool looks_like_range(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.find("..") != std::string_view::npos && is_digit(text.back()) &&
         (is_digit(text.front()) || (text.front() == '-' && is_digit(text[1]))) &&
         text.find_first_not_of("0123456789.-") == std::string_view::npos;
}

// Counted as unsigned numbers: the whole span of 64 bits must not overflow.
tl::expected<void, Error> add_range(SweepAxis& axis, const Range& range) {
  if (range.step <= 0 || range.last < range.first) {
    return no_axis(axis.key, "--param " + axis.key +
                                 ": a range goes upwards, as 1..5 or 0..100..25 (from 0 to 100 in "
                                 "steps of 25)");
  }
  const auto first = static_cast<std::uint64_t>(range.first);
  const std::uint64_t steps =
      (static_cast<std::uint64_t>(range.last) - first) / static_cast<std::uint64_t>(range.step);
  if (steps >= kMaxSweepTasks) {
    return no_axis(axis.key,
                   "--param " + axis.key + ": a sweep has at most " +
                       std::to_string(kMaxSweepTasks) + " tasks",
                   ErrorCode::too_big);
  }
  for (std::uint64_t i = 0; i <= steps; ++i) {
    const auto value =
        static_cast<std::int64_t>(first + i * static_cast<std::uint64_t>(range.step));
    axis.values.emplace_back(value);
    axis.texts.push_back(std::to_string(value));
  }
  return {};
}

tl::expected<void, Error> check_distinct(const SweepAxis& axis) {
  std::vector<std::string> texts;
  for (const Value& value : axis.values) texts.push_back(to_json_text(value));
  std::sort(texts.begin(), texts.end());
  const auto twice = std::adjacent_find(texts.begin(), texts.end());
  if (twice == texts.end()) return {};
  return no_axis(axis.key,
                 "--param " + axis.key + ": the value " + *twice +
                     " stands twice; equal tasks are what 'taskpipe submit --count' is for");
}

}  // namespace

tl::expected<SweepAxis, Error> read_axis(std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return no_axis("", "--param '" + std::string(assignment) +
                           "' is not of the form KEY=VALUE,VALUE,…; a range is KEY=1..5");
  }
  SweepAxis axis;
  axis.key = assignment.substr(0, equals);
  auto parts = split_values(assignment.substr(equals + 1));
  if (!parts) {
    return no_axis(axis.key, "--param " + axis.key +
                                 ": a bracket, brace or double quote has no other half; text that "
                                 R"(has one alone is written in quotes, as "5\" pipe")");
  }
  for (std::string& part : *parts) {
    if (part.empty()) {
      return no_axis(axis.key, "--param " + axis.key +
                                   ": a value is empty; an empty string is written '\"\"'");
    }
    if (const auto range = range_of(part)) {
      if (auto added = add_range(axis, *range); !added) return tl::unexpected(added.error());
      continue;
    }
    if (looks_like_range(part)) {
      return no_axis(axis.key, "--param " + axis.key + ": '" + part +
                                   "' is no range, which has whole numbers of at most 64 bits, as "
                                   "1..5 or 0..100..25; list other numbers one by one");
    }
    auto value = typed_value(part);
    if (!value) {
      return no_axis(axis.key, "--param " + axis.key + ": " + value.error().text,
                     value.error().code);
    }
    axis.values.push_back(std::move(*value));
    axis.texts.push_back(std::move(part));
  }
  if (auto checked = check_distinct(axis); !checked) return tl::unexpected(checked.error());
  return axis;
}

std::size_t Sweep::count() const {
  std::size_t product = 1;
  for (const SweepAxis& axis : axes) product *= axis.values.size();
  return product;
}

ValueMap Sweep::params(std::size_t index) const {
  ValueMap params;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    params[axis->key] = axis->values[index % axis->values.size()];
    index /= axis->values.size();
  }
  return params;
}

std::string Sweep::label(std::size_t index) const {
  std::string label;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    if (axis->values.size() > 1) {
      std::string part = axis->key + "=" + axis->texts[index % axis->texts.size()];
      label = label.empty() ? std::move(part) : part + " " + label;
    }
    index /= axis->values.size();
  }
  return label;
}

std::string Sweep::size_text(bool unicode) const {
  std::string text = std::to_string(count()) + (count() == 1 ? " task" : " tasks");
  std::string separator = ": ";
  for (const SweepAxis& axis : axes) {
    text += std::exchange(separator, unicode ? " × " : " x ") + axis.key + " (" +
            std::to_string(axis.values.size()) + ")";
  }
  return text;
}

tl::expected<Sweep, Error> read_sweep(std::span<const std::string> assignments) {
  Sweep sweep;
  std::size_t count = 1;
  for (const std::string& assignment : assignments) {
    auto axis = read_axis(assignment);
    if (!axis) return tl::unexpected(std::move(axis.error()));
    for (const SweepAxis& earlier : sweep.axes) {
      if (earlier.key != axis->key) continue;
      return no_axis(axis->key,
                     "--param " + axis->key + " stands twice; give all its values at once");
    }
    count *= axis->values.size();  // each factor is at most kMaxSweepTasks of them
    if (count > kMaxSweepTasks) {
      return no_axis(axis->key,
                     "these are more than " + std::to_string(kMaxSweepTasks) +
                         " combinations, the most of one sweep; sweep over a part at a time",
                     ErrorCode::too_big);
    }
    sweep.axes.push_back(std::move(*axis));
  }
  return sweep;
}

}  // namespace taskpipe::cli
