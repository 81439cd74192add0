#include "common/protocol/value_tree.hpp"

#include <algorithm>
#include <cmath>

#include "common/model/limits.hpp"
#include "common/protocol/utf8.hpp"

namespace taskpipe::protocol {
namespace {

ValueDefect invalid(std::string why) { return ValueDefect{ErrorCode::invalid, {}, std::move(why)}; }

ValueDefect too_deep() {
  return invalid("is nested deeper than 32 levels; flatten it or pass it as a file");
}

ValueDefect too_many() {
  return ValueDefect{
      ErrorCode::too_big, {}, "has more than a million elements; pass it as bytes or as a file"};
}

ValueDefect not_finite() {
  return invalid("is not a finite number; NaN and infinities cannot be passed on");
}

std::optional<ValueDefect> at_index(std::optional<ValueDefect> defect, std::size_t index) {
  if (defect) defect->place.insert(0, "[" + std::to_string(index) + "]");
  return defect;
}

std::optional<ValueDefect> at_key(std::optional<ValueDefect> defect, std::string_view key) {
  if (defect) defect->place.insert(0, "." + std::string(key));
  return defect;
}

struct ScalarWriter {
  BodyWriter& out;

  std::optional<ValueDefect> operator()(std::monostate) const {
    out.nil();
    return std::nullopt;
  }
  std::optional<ValueDefect> operator()(bool value) const {
    out.boolean(value);
    return std::nullopt;
  }
  std::optional<ValueDefect> operator()(std::int64_t value) const {
    out.sint(value);
    return std::nullopt;
  }
  std::optional<ValueDefect> operator()(double value) const {
    if (!std::isfinite(value)) return not_finite();
    out.float64(value);
    return std::nullopt;
  }
  std::optional<ValueDefect> operator()(const std::string& value) const {
    if (!is_utf8(value)) return invalid("is not valid UTF-8; pass it as bytes");
    out.raw_text(value);
    return std::nullopt;
  }
  std::optional<ValueDefect> operator()(const ValueBytes& value) const {
    out.bin(std::as_bytes(std::span(value.data)));
    return std::nullopt;
  }
  // Containers are the tree's matter.
  std::optional<ValueDefect> operator()(const ValueList&) const { return std::nullopt; }
  std::optional<ValueDefect> operator()(const ValueMap&) const { return std::nullopt; }
};

}  // namespace

std::optional<ValueDefect> ValueWriter::write(const Value& value, std::size_t depth) {
  if (depth > limits::kMaxValueDepth) return too_deep();
  if (++elements_ > limits::kMaxValueElements) return too_many();
  if (const auto* map = value.as<ValueMap>(); map != nullptr) return write_members(*map, depth + 1);
  if (const auto* list = value.as<ValueList>(); list != nullptr) {
    out_.array(list->size());
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (auto defect = write((*list)[i], depth + 1)) return at_index(std::move(defect), i);
    }
    return std::nullopt;
  }
  return std::visit(ScalarWriter{out_}, value.storage());
}

std::optional<ValueDefect> ValueWriter::write_members(const ValueMap& map, std::size_t depth) {
  out_.map(map.size());
  for (const auto& [key, member] : map) {
    if (key.empty()) return invalid("has an empty key; name every parameter");
    if (!is_utf8(key)) return invalid("has a key that is not valid UTF-8");
    out_.raw_text(key);
    if (auto defect = write(member, depth)) return at_key(std::move(defect), key);
  }
  return std::nullopt;
}

std::optional<ValueDefect> ValueReader::read(Value& value, std::size_t depth) {
  if (depth > limits::kMaxValueDepth) return too_deep();
  if (++elements_ > limits::kMaxValueElements) return too_many();
  const ValueKind kind = in_.next_kind();
  if (kind == ValueKind::list) return read_list(value.storage().emplace<ValueList>(), depth + 1);
  if (kind == ValueKind::map) return read_members(value.storage().emplace<ValueMap>(), depth + 1);
  return read_scalar(value, kind);
}

std::optional<ValueDefect> ValueReader::read_scalar(Value& value, ValueKind kind) {
  constexpr std::size_t kNoBound = limits::kMaxFrameBytes;
  switch (kind) {
    case ValueKind::nil: in_.take_nil(); return std::nullopt;
    case ValueKind::boolean: value = in_.boolean(""); return std::nullopt;
    case ValueKind::integer: value = in_.sint(""); return std::nullopt;
    case ValueKind::floating: {
      const double number = in_.floating("");
      if (!std::isfinite(number)) return not_finite();
      value = number;
      return std::nullopt;
    }
    case ValueKind::text: value = in_.text("", kNoBound); return std::nullopt;
    case ValueKind::bin: {
      const FrameView bytes = in_.bin("", kNoBound);
      value = ValueBytes{std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
      return std::nullopt;
    }
    default:
      return ValueDefect{ErrorCode::malformed, {}, "is cut off, or of a type that is not in use"};
  }
}

std::optional<ValueDefect> ValueReader::read_list(ValueList& list, std::size_t depth) {
  const std::size_t count = in_.enter_array("", limits::kMaxValueElements);
  list.reserve(count);
  for (std::size_t i = 0; i < count && in_.ok(); ++i) {
    if (auto defect = read(list.emplace_back(), depth)) return at_index(std::move(defect), i);
  }
  in_.leave();
  return std::nullopt;
}

std::optional<ValueDefect> ValueReader::read_members(ValueMap& map, std::size_t depth) {
  const std::size_t count = in_.enter_map("", limits::kMaxValueElements);
  for (std::size_t i = 0; i < count && in_.ok(); ++i) {
    const std::string_view key = in_.text("key", limits::kMaxFrameBytes);
    if (!in_.ok()) break;
    if (key.empty()) return invalid("has an empty key; name every parameter");
    const auto [entry, is_new] = map.try_emplace(std::string(key));
    if (!is_new) {
      return at_key(ValueDefect{ErrorCode::malformed, {}, "is there twice"}, key);
    }
    if (auto defect = read(entry->second, depth)) return at_key(std::move(defect), key);
  }
  in_.leave();
  return std::nullopt;
}

}  // namespace taskpipe::protocol
