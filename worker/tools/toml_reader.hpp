// Reads a TOML document key by key and remembers the first thing that is wrong, with its place:
// "lammps.toml:12:8: command.argv: expected an array of strings".
//
// Reading goes on after an error (the values read are then empty), so that callers stay a plain
// list of keys; they ask for the error once, at the end. Keys that nobody asked for are errors.
#pragma once

// The header-only library costs seconds per file that includes this one: manifest parsing only.
#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/model/error.hpp"

namespace taskpipe::worker {

// One document being read. Owns its error; outlives the TableReaders on it.
class TomlDocument {
 public:
  explicit TomlDocument(std::string file) : file_(std::move(file)) {}

  void fail(const toml::source_region& where, std::string_view key, std::string_view what);
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  std::string file_;
  std::optional<Error> error_;
};

// A string and where it stands, so that later checks can still name the place.
struct PlacedText {
  std::string text;
  toml::source_region where;
};

class TableReader {
 public:
  TableReader(TomlDocument& document, const toml::table& table, std::string path)
      : document_(&document), table_(&table), path_(std::move(path)) {}

  // Each returns nothing when the key is absent or of another type (then the document fails).
  std::optional<PlacedText> text(std::string_view key);
  std::optional<std::vector<PlacedText>> texts(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t low, std::int64_t high);
  // In seconds, whole or not.
  std::optional<double> seconds(std::string_view key, double low, double high);
  std::optional<TableReader> table(std::string_view key);
  // Keys that the author chooses freely, in order.
  [[nodiscard]] std::vector<std::string> all_keys() const;

  // Fails with "is missing".
  void require(std::string_view key);
  void fail(std::string_view key, std::string_view what);
  void fail_at(const toml::source_region& where, std::string_view key, std::string_view what);
  // Fails on the first key that was never asked for, naming the nearest one that exists.
  void refuse_other_keys();

 private:
  const toml::node* find(std::string_view key);
  [[nodiscard]] std::string full(std::string_view key) const;

  TomlDocument* document_;
  const toml::table* table_;
  std::string path_;  // "command", or empty for the top
  std::vector<std::string> asked_;
};

}  // namespace taskpipe::worker
