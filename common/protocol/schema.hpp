// One description per structure, used to write it, to read it and to check it, so that the two
// directions cannot drift apart. Private to common/protocol.
//
//   template <>
//   struct Schema<Ping> : MapShape {
//     template <class Fields, class Struct>
//     static void fields(Fields& f, Struct& s) {
//       f.required(1, "t", s.t);
//     }
//   };
//
// A MapShape is a msgpack map from small integers to values; unknown keys are skipped, optional
// fields that hold their default are left out. A TupleShape is a msgpack array in the order of the
// description, for what comes by the hundred; elements behind the known ones are skipped. An
// optional `static std::optional<Defect> check(const Struct&)` runs in both directions, an optional
// `settle(Struct&)` brings into order what was read.
#pragma once

#include <algorithm>
#include <bitset>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/model/messages.hpp"
#include "common/protocol/body_reader.hpp"
#include "common/protocol/body_writer.hpp"

namespace taskpipe::protocol {

template <class Struct>
struct Schema;

struct MapShape {
  static constexpr bool kIsMap = true;
};
struct TupleShape {
  static constexpr bool kIsMap = false;
};

// What a check found; `field` is relative to the structure.
struct Defect {
  ErrorCode code = ErrorCode::invalid;
  std::string field;
  std::string why;
};

// Bounds of a field: entries of a list, bytes of a text, bin or payload (or of each in a list).
struct Bound {
  std::size_t items = 0;
  std::size_t bytes = 0;
  bool is_prose = false;

  [[nodiscard]] constexpr Bound of_each() const { return Bound{0, bytes, is_prose}; }
};
[[nodiscard]] constexpr Bound up_to_bytes(std::size_t bytes) { return Bound{0, bytes}; }
[[nodiscard]] constexpr Bound up_to_items(std::size_t items) { return Bound{items, 0}; }
[[nodiscard]] constexpr Bound up_to_texts(std::size_t items, std::size_t bytes) {
  return Bound{items, bytes};
}
// A sentence for people, perhaps quoting a log: the sender cuts and repairs it, since no reason is
// worth losing the result that it belongs to.
[[nodiscard]] constexpr Bound prose(std::size_t bytes = limits::kMaxTextBytes) {
  return Bound{0, bytes, true};
}

using Metrics = std::vector<std::pair<std::string, double>>;

// A key of a map must be below this, so that seen keys fit a word; unknown ones may be larger.
inline constexpr std::size_t kMaxFieldKey = 63;
inline constexpr std::size_t kMaxMapPairs = 256;  // known and unknown together

template <class Enum>
inline constexpr Enum kLastOf = Enum{};
template <>
inline constexpr Role kLastOf<Role> = kLastRole;
template <>
inline constexpr OnFailure kLastOf<OnFailure> = kLastOnFailure;
template <>
inline constexpr ErrorCode kLastOf<ErrorCode> = kLastErrorCode;
template <>
inline constexpr TaskState kLastOf<TaskState> = kLastTaskState;
template <>
inline constexpr FailureClass kLastOf<FailureClass> = kLastFailureClass;
template <>
inline constexpr PastKind kLastOf<PastKind> = kLastPastKind;
template <>
inline constexpr LogStream kLastOf<LogStream> = kLastLogStream;
template <>
inline constexpr WorkerState kLastOf<WorkerState> = kLastWorkerState;

template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
inline constexpr bool kIsCounter = false;
template <class Tag, class Rep>
inline constexpr bool kIsCounter<StrongId<Tag, Rep>> = true;
template <class T>
inline constexpr bool kIsUniqueId = false;
template <class Tag>
inline constexpr bool kIsUniqueId<UniqueId<Tag>> = true;

template <class T>
concept Described = requires {
  Schema<T>::kIsMap;
};
template <class T>
concept Checked = requires(const T& value) {
  { Schema<T>::check(value) } -> std::same_as<std::optional<Defect>>;
};

// Neither map nor tuple: the Schema has `write` and `read` of its own.
template <class T>
concept CodesItself = requires(BodyWriter& out, const T& value) {
  Schema<T>::write(out, "", value);
};
template <class T>
concept Settled = requires(T& value) {
  { Schema<T>::settle(value) } -> std::same_as<std::optional<Defect>>;
};

template <class T>
[[nodiscard]] bool is_default(const T& value) {
  if constexpr (kIsVector<T> || std::is_same_v<T, std::string> || std::is_same_v<T, Payload>) {
    return value.empty();
  } else if constexpr (kIsOptional<T>) {
    return !value.has_value();
  } else {
    return value == T{};
  }
}

// Percent is absent (in a tuple: nil) while it is unknown.
[[nodiscard]] inline bool is_known_percent(double percent) { return !(percent < 0); }
[[nodiscard]] inline bool is_legal_percent(double percent) {
  return percent >= 0 && percent <= 100;  // false for NaN
}

// First pass over a description: how many fields will be written.
struct FieldCounter {
  std::size_t count = 0;

  template <class T>
  void required(std::uint8_t, const char*, const T&, Bound = {}) {
    ++count;
  }
  template <class T>
  void optional(std::uint8_t, const char*, const T& value, Bound = {}) {
    if (!is_default(value)) ++count;
  }
  void percent(std::uint8_t, const char*, double value) {
    if (is_known_percent(value)) ++count;
  }
  template <class T>
  void element(const char*, const T&, Bound = {}) {
    ++count;
  }
  void percent_element(const char*, double) { ++count; }
};

}  // namespace taskpipe::protocol

#include "common/protocol/schema_reader.hpp"
#include "common/protocol/schema_writer.hpp"
