#include "client/cli/workflow_fields.hpp"

#include <algorithm>

#include "common/process/suggestion.hpp"
#include "common/process/units.hpp"

namespace taskpipe::cli {

Checked check_keys(const ValueMap& map, const std::string& path,
                   const std::vector<std::string>& known) {
  for (const auto& [key, value] : map) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = process::nearest_name(key, known);
    return refused_field(path.empty() ? key : path + "." + key,
                         near.empty() ? "is no field of a workflow; docs/cli.md lists them"
                                      : "is no field; did you mean '" + near + "'?");
  }
  return {};
}

Checked Fields::read_duration(std::string_view key, Millis& target) const {
  const Value* value = find(key);
  if (value == nullptr) return {};
  const auto* text = value->as<std::string>();
  if (text == nullptr) return refused_field(place(key), "must be a duration, such as \"30s\"");
  const auto parsed = process::parse_duration(*text);
  if (!parsed) return refused_field(place(key), "is wrong: " + parsed.error().text);
  target = *parsed;
  return {};
}

Checked Fields::read_size(std::string_view key, std::uint64_t& target) const {
  const Value* value = find(key);
  if (value == nullptr) return {};
  if (const auto* text = value->as<std::string>()) {
    const auto parsed = process::parse_size(*text);
    if (!parsed) return refused_field(place(key), "is wrong: " + parsed.error().text);
    target = *parsed;
    return {};
  }
  const auto* number = value->as<std::int64_t>();
  if (number == nullptr || *number < 0) {
    return refused_field(place(key), "must be a size, such as \"2G\" or a number of bytes");
  }
  target = static_cast<std::uint64_t>(*number);
  return {};
}

}  // namespace taskpipe::cli
