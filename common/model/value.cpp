#include "common/model/value.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "common/model/limits.hpp"
#include "common/model/utf8.hpp"

namespace taskpipe {
namespace {

Error invalid(const std::string& path, std::string_view why) {
  return Error{ErrorCode::invalid, path + " " + std::string(why), path};
}

std::optional<Error> check(const Value& value, std::string& path, std::size_t depth) {
  if (depth > limits::kMaxValueDepth) {
    return invalid(path, "is nested deeper than 32 levels; flatten it or pass it as a file");
  }
  if (const auto* number = value.as<double>(); number != nullptr && !std::isfinite(*number)) {
    return invalid(path, "is not a finite number; NaN and infinities cannot be passed on");
  }
  if (const auto* list = value.as<ValueList>(); list != nullptr) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::size_t length = path.size();
      path += "[" + std::to_string(i) + "]";
      if (auto error = check((*list)[i], path, depth + 1)) return error;
      path.resize(length);
    }
  }
  if (const auto* map = value.as<ValueMap>(); map != nullptr) {
    for (const auto& [key, member] : *map) {
      if (key.empty()) return invalid(path, "has an empty key; name every parameter");
      const std::size_t length = path.size();
      path += "." + key;
      if (auto error = check(member, path, depth + 1)) return error;
      path.resize(length);
    }
  }
  return std::nullopt;
}

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  out.append(buffer.data(), end);
}

void append_hex(std::string& out, const ValueBytes& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : bytes.data) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xfU];
  }
}

struct JsonWriter {
  std::string& out;

  void operator()(std::monostate) const { out += "null"; }
  void operator()(bool v) const { out += v ? "true" : "false"; }
  void operator()(std::int64_t v) const { append_number(out, v); }
  void operator()(double v) const {
    if (std::isfinite(v)) {
      append_number(out, v);
    } else {
      out += "null";
    }
  }
  void operator()(const std::string& v) const { append_json_string(out, v); }
  void operator()(const ValueBytes& v) const {
    out += '"';
    append_hex(out, v);
    out += '"';
  }
  void operator()(const ValueList& v) const {
    out += '[';
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (i > 0) out += ',';
      std::visit(*this, v[i].storage());
    }
    out += ']';
  }
  void operator()(const ValueMap& v) const {
    out += '{';
    bool first = true;
    for (const auto& [key, member] : v) {
      if (!first) out += ',';
      first = false;
      append_json_string(out, key);
      out += ':';
      std::visit(*this, member.storage());
    }
    out += '}';
  }
};

}  // namespace

const Value* Value::find(std::string_view key) const {
  const auto* map = as<ValueMap>();
  if (map == nullptr) return nullptr;
  const auto it = map->find(key);
  return it == map->end() ? nullptr : &it->second;
}

std::optional<Error> check_value(const Value& value, std::string_view root) {
  std::string path(root);
  return check(value, path, 1);
}

std::string to_text(const Value& value) {
  if (value.is_null()) return "";
  if (const auto* text = value.as<std::string>(); text != nullptr) return *text;
  if (const auto* bytes = value.as<ValueBytes>(); bytes != nullptr) {
    std::string hex;
    append_hex(hex, *bytes);
    return hex;
  }
  return to_json_text(value);
}

std::string to_json_text(const Value& value) {
  std::string out;
  std::visit(JsonWriter{out}, value.storage());
  return out;
}

}  // namespace taskpipe
