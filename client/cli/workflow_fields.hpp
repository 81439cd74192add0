// Reading maps of a workflow file field by field, so that a mistake is named by its place.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/time.hpp"
#include "common/model/value.hpp"

namespace taskpipe::cli {

using Checked = tl::expected<void, Error>;

[[nodiscard]] inline tl::unexpected<Error> refused_field(const std::string& field,
                                                         const std::string& why) {
  return tl::unexpected(Error{ErrorCode::invalid, field + " " + why, field});
}

// Names the first key that is not one of `known`, and the nearest that is.
[[nodiscard]] Checked check_keys(const ValueMap& map, const std::string& path,
                                 const std::vector<std::string>& known);

// Reads single fields; absent ones leave `target` alone.
struct Fields {
  const ValueMap& map;
  std::string path;  // "tasks[2]"

  [[nodiscard]] std::string place(std::string_view key) const {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
  }
  [[nodiscard]] const Value* find(std::string_view key) const {
    const auto it = map.find(key);
    return it == map.end() || it->second.is_null() ? nullptr : &it->second;
  }

  template <class T>
  [[nodiscard]] Checked read(std::string_view key, T& target, std::string_view expected) const {
    const Value* value = find(key);
    if (value == nullptr) return {};
    const T* typed = value->as<T>();
    if (typed == nullptr) return refused_field(place(key), "must be " + std::string(expected));
    target = *typed;
    return {};
  }

  template <class Int>
  [[nodiscard]] Checked read_integer(std::string_view key, Int& target, std::int64_t least) const {
    const Value* value = find(key);
    if (value == nullptr) return {};
    const auto* number = value->as<std::int64_t>();
    constexpr auto kMost = static_cast<std::int64_t>(std::numeric_limits<Int>::max());
    if (number == nullptr || *number < least || *number > kMost) {
      return refused_field(place(key), "must be a whole number from " + std::to_string(least) +
                                           " to " + std::to_string(kMost));
    }
    target = static_cast<Int>(*number);
    return {};
  }

  // Milliseconds from "30s".
  [[nodiscard]] Checked read_duration(std::string_view key, Millis& target) const;
  // Bytes, as a number or as "2G".
  [[nodiscard]] Checked read_size(std::string_view key, std::uint64_t& target) const;
};

}  // namespace taskpipe::cli
