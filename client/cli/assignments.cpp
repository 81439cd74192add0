#include "client/cli/assignments.hpp"

#include <algorithm>
#include <utility>

#include "client/cli/json_reader.hpp"
#include "common/model/utf8.hpp"
#include "common/process/units.hpp"

namespace taskpipe::cli {
namespace {

Error invalid(std::string text, std::string field) {
  return Error{ErrorCode::invalid, std::move(text), std::move(field)};
}

struct Assignment {
  std::string key;
  std::string value;
};

// `what` is how the option calls it: "--param key=value".
tl::expected<Assignment, Error> split(const std::string& text, std::string_view what,
                                      std::string_view field) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return tl::unexpected(
        invalid("'" + text + "' is not of the form " + std::string(what), std::string(field)));
  }
  Assignment assignment{text.substr(0, equals), text.substr(equals + 1)};
  if (!is_utf8(text)) {
    return tl::unexpected(
        invalid("'" + to_valid_utf8(text) + "' is not valid UTF-8", std::string(field)));
  }
  return assignment;
}

}  // namespace

tl::expected<Value, Error> typed_value(std::string_view text) {
  if (!is_utf8(text)) {
    return tl::unexpected(invalid("'" + to_valid_utf8(text) + "' is not valid UTF-8", ""));
  }
  auto value = read_json(text);
  if (value) return std::move(*value);
  if (value.error().problem == JsonProblem::syntax) return Value(text);
  Error error = std::move(value.error().error);
  error.text += R"(; to send it as a string, put it in quotes: '"…"')";
  return tl::unexpected(std::move(error));
}

tl::expected<void, Error> assign_params(ValueMap& params,
                                        std::span<const std::string> assignments) {
  for (const std::string& text : assignments) {
    auto assignment = split(text, "--param key=value", "params");
    if (!assignment) return tl::unexpected(std::move(assignment.error()));
    auto value = typed_value(assignment->value);
    if (!value) {
      Error error = std::move(value.error());
      error.field = "params." + assignment->key;
      error.text = "--param " + assignment->key + ": " + error.text;
      return tl::unexpected(std::move(error));
    }
    params.insert_or_assign(std::move(assignment->key), std::move(*value));
  }
  return {};
}

tl::expected<std::vector<Label>, Error> read_labels(std::span<const std::string> assignments) {
  std::vector<Label> labels;
  for (const std::string& text : assignments) {
    auto assignment = split(text, "--label key=value", "labels");
    if (!assignment) return tl::unexpected(std::move(assignment.error()));
    const bool twice = std::any_of(labels.begin(), labels.end(), [&](const Label& label) {
      return label.key == assignment->key;
    });
    if (twice) {
      return tl::unexpected(
          invalid("--label " + assignment->key + " is given twice; leave one out", "labels"));
    }
    labels.push_back({std::move(assignment->key), std::move(assignment->value)});
  }
  return labels;
}

tl::expected<std::vector<NamedResource>, Error> read_named_resources(
    std::span<const std::string> assignments) {
  std::vector<NamedResource> named;
  for (const std::string& text : assignments) {
    auto assignment = split(text, "--resource name=amount", "resources");
    if (!assignment) return tl::unexpected(std::move(assignment.error()));
    const auto amount = process::parse_size(assignment->value);
    if (!amount) {
      return tl::unexpected(invalid("--resource " + assignment->key + ": '" + assignment->value +
                                        "' is no amount: write a whole number, with a unit such "
                                        "as 10G where it counts bytes",
                                    "resources." + assignment->key));
    }
    const bool twice = std::any_of(named.begin(), named.end(), [&](const NamedResource& resource) {
      return resource.name == assignment->key;
    });
    if (twice) {
      return tl::unexpected(
          invalid("--resource " + assignment->key + " is given twice; leave one out",
                  "resources." + assignment->key));
    }
    named.push_back({std::move(assignment->key), *amount});
  }
  return named;
}

}  // namespace taskpipe::cli
