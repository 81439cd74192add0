// TOML as people write it, into the same Values that JSON gives, each with its place in the text.
//
// As strict as json_reader.hpp: what a Value cannot keep (dates, NaN, infinities, nesting beyond
// limits::kMaxValueDepth) is an error rather than something else.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/value.hpp"

namespace taskpipe::cli {

struct TextPlace {
  std::size_t line = 1;
  std::size_t column = 1;
};
// "line 3, column 7"
[[nodiscard]] std::string to_text(TextPlace place);

struct TomlDocument {
  Value value;  // a ValueMap
  // Where each value stands, by its path: "tasks[1].after[0]".
  std::map<std::string, TextPlace, std::less<>> places;

  // Of `path` or of the nearest value around it.
  [[nodiscard]] TextPlace place_of(std::string_view path) const;
};

// INVALID; the text begins with the place: "line 3, column 7: …". O(bytes).
[[nodiscard]] tl::expected<TomlDocument, Error> read_toml(std::string_view text);

}  // namespace taskpipe::cli
