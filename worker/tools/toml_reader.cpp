#include "worker/tools/toml_reader.hpp"

#include <algorithm>

#include "worker/tools/text.hpp"

namespace taskpipe::worker {

void TomlDocument::fail(const toml::source_region& where, std::string_view key,
                        std::string_view what) {
  if (error_) return;
  std::string text = file_;
  if (where.begin.line > 0) {
    text += ":" + std::to_string(where.begin.line) + ":" + std::to_string(where.begin.column);
  }
  if (!key.empty()) text += ": " + std::string(key);
  text += ": " + std::string(what);
  error_ = Error{ErrorCode::invalid, std::move(text), std::string(key)};
}

const toml::node* TableReader::find(std::string_view key) {
  asked_.emplace_back(key);
  return table_->get(key);
}

std::string TableReader::full(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

std::optional<PlacedText> TableReader::text(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_string();
  if (value == nullptr) {
    document_->fail(node->source(), full(key), "expected a string");
    return std::nullopt;
  }
  return PlacedText{value->get(), node->source()};
}

std::optional<std::vector<PlacedText>> TableReader::texts(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  std::vector<PlacedText> result;
  const auto* array = node->as_array();
  if (array == nullptr) {
    document_->fail(node->source(), full(key), "expected an array of strings");
    return std::nullopt;
  }
  for (const auto& element : *array) {
    const auto* value = element.as_string();
    if (value == nullptr) {
      document_->fail(element.source(), full(key), "expected an array of strings");
      return std::nullopt;
    }
    result.push_back(PlacedText{value->get(), element.source()});
  }
  return result;
}

std::optional<bool> TableReader::boolean(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_boolean();
  if (value == nullptr) {
    document_->fail(node->source(), full(key), "expected true or false");
    return std::nullopt;
  }
  return value->get();
}

std::optional<std::int64_t> TableReader::integer(std::string_view key, std::int64_t low,
                                                 std::int64_t high) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_integer();
  if (value == nullptr || value->get() < low || value->get() > high) {
    document_->fail(
        node->source(), full(key),
        "expected an integer from " + std::to_string(low) + " to " + std::to_string(high));
    return std::nullopt;
  }
  return value->get();
}

std::optional<double> TableReader::seconds(std::string_view key, double low, double high) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value || !(*value >= low && *value <= high)) {  // written so that NaN fails as well
    std::string what = "expected a number of seconds, at most ";
    what += std::to_string(static_cast<std::int64_t>(high));
    document_->fail(node->source(), full(key), what);
    return std::nullopt;
  }
  return value;
}

std::optional<TableReader> TableReader::table(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_table();
  if (value == nullptr) {
    document_->fail(node->source(), full(key), "expected a table");
    return std::nullopt;
  }
  return TableReader(*document_, *value, full(key));
}

std::vector<std::string> TableReader::all_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, node] : *table_) keys.emplace_back(key.str());
  return keys;
}

void TableReader::require(std::string_view key) {
  if (table_->contains(key)) return;
  document_->fail(table_->source(), full(key), "is missing");
}

void TableReader::fail(std::string_view key, std::string_view what) {
  const toml::node* node = table_->get(key);
  document_->fail(node == nullptr ? table_->source() : node->source(), full(key), what);
}

void TableReader::fail_at(const toml::source_region& where, std::string_view key,
                          std::string_view what) {
  document_->fail(where, full(key), what);
}

void TableReader::refuse_other_keys() {
  for (const auto& [key, node] : *table_) {
    if (std::find(asked_.begin(), asked_.end(), key.str()) != asked_.end()) continue;
    const std::string_view nearest = nearest_name(key.str(), asked_);
    std::string what = "unknown key";
    if (nearest.empty()) {
      what += "; known are " + enumerate(asked_, asked_.size());
    } else {
      what += "; did you mean '" + std::string(nearest) + "'?";
    }
    document_->fail(key.source(), full(key.str()), what);
    return;
  }
}

}  // namespace taskpipe::worker
