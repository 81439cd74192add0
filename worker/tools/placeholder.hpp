// Text of a manifest with placeholders, checked when the manifest is read and filled in per task.
//
//   {script}        the script's path; only where the tool takes one
//   {dir}           the attempt's directory
//   {cpus}          CPUs of the task, at least 1
//   {toolbox}       the manifest's own folder
//   {param.NAME}    a parameter of the task, which must then be given
//   {param.NAME=x}  the same, or x when it is not given
//   {params}        a whole argument: replaced by `params_as` for every parameter
//   {name} {value}  within `params_as` only
//   {{ and }}       the braces themselves
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/value.hpp"

namespace taskpipe::worker {

// What placeholders stand for in one attempt. Views: must outlive the call.
struct Bindings {
  std::string_view script;
  std::string_view directory;
  std::string_view toolbox;
  std::uint32_t cpus = 1;
  const ValueMap* params = nullptr;  // null = none
  std::string_view name;             // while expanding `params_as`
  std::string_view value;
};

class Template {
 public:
  enum class Kind : std::uint8_t {
    literal,
    script,
    directory,
    cpus,
    toolbox,
    param,
    params,
    name,
    value,
  };
  struct Piece {
    Kind kind = Kind::literal;
    std::string text;                      // the literal, or the parameter's name
    std::optional<std::string> otherwise;  // of a parameter
  };

  // Or a sentence saying what is wrong with `text`.
  [[nodiscard]] static tl::expected<Template, std::string> parse(std::string_view text);

  [[nodiscard]] bool uses(Kind kind) const;
  // True when the template is {params} and nothing else.
  [[nodiscard]] bool is_params() const;
  // The text when no placeholder occurs.
  [[nodiscard]] std::optional<std::string> literal() const;

  // INVALID naming the parameter when one that is needed is missing. {params} expands to nothing:
  // a list of arguments is made by expand_arguments.
  [[nodiscard]] tl::expected<std::string, Error> expand(const Bindings& bindings) const;

 private:
  std::vector<Piece> pieces_;
};

// Expands a command line; {params} becomes `params_as` once per parameter, in order of their names.
// INVALID naming the parameter when its name could be taken for an option, since a command line has
// no other way to tell them apart.
[[nodiscard]] tl::expected<std::vector<std::string>, Error> expand_arguments(
    const std::vector<Template>& arguments, const std::vector<Template>& params_as,
    const Bindings& bindings);

}  // namespace taskpipe::worker
