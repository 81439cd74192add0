// Values (params, handler results) as msgpack. Private to common/protocol.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/model/error.hpp"
#include "common/model/value.hpp"
#include "common/protocol/body_reader.hpp"
#include "common/protocol/body_writer.hpp"

namespace taskpipe::protocol {

// Arrays and maps that a payload may nest: params are a map of values of full depth.
inline constexpr std::size_t kMaxPayloadDepth = limits::kMaxValueDepth + 1;

// A value that may not travel, and where in the tree it is ("[2].dx").
struct ValueDefect {
  ErrorCode code = ErrorCode::invalid;
  std::string place;
  std::string why;

  [[nodiscard]] Error under(std::string_view root) const {
    std::string field = std::string(root) + place;
    std::string text = field + " " + why;
    return Error{code, std::move(text), std::move(field)};
  }
};

// Writes or reads trees; one object per payload, since it counts the payload's elements. The path
// of a defect is put together on the way back, so that good values pay nothing for it.
class ValueWriter {
 public:
  explicit ValueWriter(BodyWriter& out) : out_(out) {}
  [[nodiscard]] std::optional<ValueDefect> write(const Value& value, std::size_t depth = 1);
  [[nodiscard]] std::optional<ValueDefect> write_members(const ValueMap& map, std::size_t depth);

 private:
  BodyWriter& out_;
  std::size_t elements_ = 0;
};

class ValueReader {
 public:
  explicit ValueReader(BodyReader& in) : in_(in) {}
  // When nothing is returned, the reader may still have failed: see BodyReader::ok.
  [[nodiscard]] std::optional<ValueDefect> read(Value& value, std::size_t depth = 1);
  [[nodiscard]] std::optional<ValueDefect> read_members(ValueMap& map, std::size_t depth);

 private:
  [[nodiscard]] std::optional<ValueDefect> read_scalar(Value& value, ValueKind kind);
  [[nodiscard]] std::optional<ValueDefect> read_list(ValueList& list, std::size_t depth);

  BodyReader& in_;
  std::size_t elements_ = 0;
};

}  // namespace taskpipe::protocol
