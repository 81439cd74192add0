// Tables for people: aligned, and fitted to the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "client/cli/display_text.hpp"

namespace taskpipe::cli {

struct Column {
  std::string title;
  Align align = Align::left;
  // The narrowest that the column may be made when the terminal is too narrow; 0 = never cut, for
  // what people copy (ids).
  std::size_t least_columns = 0;
};

struct Cell {
  Cell(std::string t) : text(std::move(t)) {}  // NOLINT(google-explicit-constructor)
  Cell(const char* t) : text(t) {}             // NOLINT(google-explicit-constructor)
  Cell(std::string t, Tone n) : text(std::move(t)), tone(n) {}
  std::string text;
  Tone tone = Tone::plain;
};

struct TextStyle {
  std::size_t columns = 0;  // of the terminal; 0 = as wide as needed
  bool colours = false;
  bool unicode = true;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  // As many cells as columns. Texts are made printable.
  void add(std::vector<Cell> cells);
  [[nodiscard]] bool empty() const { return rows_.empty(); }

  // Titles and rows, each line ended by '\n'. Where the columns do not fit, the widest that may be
  // cut are cut until they do. O(cells + columns × excess).
  [[nodiscard]] std::string text(const TextStyle& style) const;

 private:
  [[nodiscard]] std::vector<std::size_t> fitted_widths(std::size_t columns) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace taskpipe::cli
