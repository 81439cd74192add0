#include "client/cli/toml_reader.hpp"

// Only here: the header-only library costs seconds per file that includes it.
#include <toml++/toml.h>

#include <cmath>
#include <cstdint>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::cli {
namespace {

TextPlace place_of(const toml::source_region& where) {
  return {where.begin.line, where.begin.column};
}

tl::unexpected<Error> refused(TextPlace place, std::string_view why) {
  return tl::unexpected(Error{ErrorCode::invalid, to_text(place) + ": " + std::string(why), {}});
}

class Converter {
 public:
  explicit Converter(TomlDocument& document) : document_(document) {}

  // Bounded by limits::kMaxValueDepth, so that recursion is.
  tl::expected<Value, Error> convert(const toml::node& node, const std::string& path,
                                     std::size_t depth) {
    const TextPlace place = place_of(node.source());
    if (!path.empty()) document_.places.emplace(path, place);
    if (depth > limits::kMaxValueDepth) {
      return refused(
          place, "it is nested deeper than " + std::to_string(limits::kMaxValueDepth) + " levels");
    }
    if (const auto* table = node.as_table()) return convert_table(*table, path, depth);
    if (const auto* array = node.as_array()) return convert_array(*array, path, depth);
    if (const auto* text = node.as_string()) return Value(text->get());
    if (const auto* number = node.as_integer()) return Value(std::int64_t{number->get()});
    if (const auto* flag = node.as_boolean()) return Value(flag->get());
    if (const auto* real = node.as_floating_point()) {
      if (std::isfinite(real->get())) return Value(real->get());
      return refused(place, "neither NaN nor infinities can be sent; put it in quotes");
    }
    return refused(place, "dates and times can be sent as text alone; put it in quotes");
  }

 private:
  tl::expected<Value, Error> convert_table(const toml::table& table, const std::string& path,
                                           std::size_t depth) {
    ValueMap map;
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      auto value = convert(node, path.empty() ? name : path + "." + name, depth + 1);
      if (!value) return value;
      map.emplace(name, std::move(*value));
    }
    return Value(std::move(map));
  }

  tl::expected<Value, Error> convert_array(const toml::array& array, const std::string& path,
                                           std::size_t depth) {
    ValueList list;
    for (const toml::node& node : array) {
      auto value = convert(node, path + "[" + std::to_string(list.size()) + "]", depth + 1);
      if (!value) return value;
      list.push_back(std::move(*value));
    }
    return Value(std::move(list));
  }

  TomlDocument& document_;
};

}  // namespace

std::string to_text(TextPlace place) {
  return "line " + std::to_string(place.line) + ", column " + std::to_string(place.column);
}

TextPlace TomlDocument::place_of(std::string_view path) const {
  while (!path.empty()) {
    if (const auto found = places.find(path); found != places.end()) return found->second;
    const auto cut = path.find_last_of(".[");
    path = path.substr(0, cut == std::string_view::npos ? 0 : cut);
  }
  return {};
}

tl::expected<TomlDocument, Error> read_toml(std::string_view text) {
  TomlDocument document;
  try {
    const toml::table root = toml::parse(text);
    auto value = Converter(document).convert(root, "", 0);
    if (!value) return tl::unexpected(std::move(value.error()));
    document.value = std::move(*value);
  } catch (const toml::parse_error& problem) {
    return refused(place_of(problem.source()), problem.description());
  }
  return document;
}

}  // namespace taskpipe::cli
