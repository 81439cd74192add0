// JSON as people write it, into Values.
//
// Strict (RFC 8259), and stricter where a lenient reader would lose something silently: a key that
// stands twice in a map, an integer beyond 64 bits, a number beyond double, and nesting beyond
// limits::kMaxValueDepth are errors. Neither deep nor long input can exhaust the stack.
#pragma once

#include <cstdint>
#include <string_view>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/value.hpp"

namespace taskpipe::cli {

enum class JsonProblem : std::uint8_t {
  syntax,   // it is no JSON
  content,  // it is JSON, but holds what cannot be kept (see above)
};

struct JsonError {
  JsonProblem problem = JsonProblem::syntax;
  Error error;  // INVALID; the text begins with the place: "line 3, column 7: …"
};

// `text` must be one whole document. O(bytes).
[[nodiscard]] tl::expected<Value, JsonError> read_json(std::string_view text);

}  // namespace taskpipe::cli
