// "key=value" arguments: parameters, labels, resources.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/resources.hpp"
#include "common/model/task.hpp"
#include "common/model/value.hpp"

namespace taskpipe::cli {

// What `text` means as a parameter: numbers, true, false, null, lists, maps and quoted strings as
// JSON has them; anything else is a string as it stands. So 64 is an integer, "64" (with its
// quotes) a string, 007 a string, [1,2] a list, and [1,2 a string. INVALID for what is JSON but
// cannot be kept (1e999, an integer beyond 64 bits) and for text that is not UTF-8.
[[nodiscard]] tl::expected<Value, Error> typed_value(std::string_view text);

// Sets `params[key]` for each "key=value"; the last one of a key wins. INVALID, with the field
// "params.<key>".
[[nodiscard]] tl::expected<void, Error> assign_params(ValueMap& params,
                                                      std::span<const std::string> assignments);

// "key=value", the value as it stands; a key may stand once. INVALID, field "labels".
[[nodiscard]] tl::expected<std::vector<Label>, Error> read_labels(
    std::span<const std::string> assignments);

// "name=amount" with a whole amount, or one with a unit of size ("scratch=10G"). INVALID, field
// "resources".
[[nodiscard]] tl::expected<std::vector<NamedResource>, Error> read_named_resources(
    std::span<const std::string> assignments);

}  // namespace taskpipe::cli
