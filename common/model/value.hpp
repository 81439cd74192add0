// A dynamically typed value: what params and results are made of.
//
// The wire carries values as msgpack, people write them as JSON, tools see them as text. Maps have
// string keys and are ordered, so that equal params have equal bytes and equal hashes.
// NaN and infinities are representable here and refused by `check_value` and by the codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/model/error.hpp"

namespace taskpipe {

class Value;
using ValueList = std::vector<Value>;
using ValueMap = std::map<std::string, Value, std::less<>>;
struct ValueBytes {
  std::string data;
  friend bool operator==(const ValueBytes&, const ValueBytes&) = default;
};

class Value {
 public:
  using Storage = std::variant<std::monostate, bool, std::int64_t, double, std::string, ValueBytes,
                               ValueList, ValueMap>;

  Value() = default;
  Value(bool v) : storage_(v) {}                           // NOLINT(google-explicit-constructor)
  Value(int v) : storage_(std::int64_t{v}) {}              // NOLINT(google-explicit-constructor)
  Value(std::int64_t v) : storage_(v) {}                   // NOLINT(google-explicit-constructor)
  Value(double v) : storage_(v) {}                         // NOLINT(google-explicit-constructor)
  Value(std::string v) : storage_(std::move(v)) {}         // NOLINT(google-explicit-constructor)
  Value(std::string_view v) : storage_(std::string(v)) {}  // NOLINT(google-explicit-constructor)
  Value(const char* v) : storage_(std::string(v)) {}       // NOLINT(google-explicit-constructor)
  Value(ValueBytes v) : storage_(std::move(v)) {}          // NOLINT(google-explicit-constructor)
  Value(ValueList v) : storage_(std::move(v)) {}           // NOLINT(google-explicit-constructor)
  Value(ValueMap v) : storage_(std::move(v)) {}            // NOLINT(google-explicit-constructor)

  [[nodiscard]] const Storage& storage() const { return storage_; }
  [[nodiscard]] Storage& storage() { return storage_; }
  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(storage_); }
  // Null when the value is of another type.
  template <class T>
  [[nodiscard]] const T* as() const {
    return std::get_if<T>(&storage_);
  }
  // The member of a map, or null: also when this is no map.
  [[nodiscard]] const Value* find(std::string_view key) const;

  friend bool operator==(const Value&, const Value&) = default;

 private:
  Storage storage_;
};

// INVALID naming the offending place ("params.grid[2].dx") for NaN, infinities, depth beyond
// limits::kMaxValueDepth and empty keys; nothing when the value may travel. `root` starts the path.
[[nodiscard]] std::optional<Error> check_value(const Value& value, std::string_view root);

// How a value reaches a tool as text: strings as they are, true/false, integers, shortest exact
// decimals, null as "", bytes as lower-case hex, lists and maps as compact JSON.
[[nodiscard]] std::string to_text(const Value& value);

// Compact JSON (RFC 8259): map keys in order, non-finite numbers as null, bytes as lower-case hex,
// bytes of strings that are no UTF-8 as U+FFFD.
[[nodiscard]] std::string to_json_text(const Value& value);

}  // namespace taskpipe
