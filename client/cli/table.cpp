#include "client/cli/table.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace taskpipe::cli {
namespace {

constexpr std::size_t kGapColumns = 2;

void append_line(std::string& text, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  text += line;
  text += '\n';
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  assert(!columns_.empty());
}

void Table::add(std::vector<Cell> cells) {
  assert(cells.size() == columns_.size());
  for (Cell& cell : cells) cell.text = printable(cell.text);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::fitted_widths(std::size_t columns) const {
  std::vector<std::size_t> widths;
  std::size_t total = kGapColumns * (columns_.size() - 1);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
    total += width;
  }
  while (columns > 0 && total > columns) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::size_t least = columns_[i].least_columns;
      if (least == 0 || widths[i] <= least) continue;
      if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

std::string Table::text(const TextStyle& style) const {
  const auto widths = fitted_widths(style.columns);
  std::string text;
  const auto append_row = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) line.append(kGapColumns, ' ');
      const Cell& cell = cell_of(i);
      const std::string shown = cut_to(cell.text, widths[i], style.unicode);
      const bool last = i + 1 == columns_.size() && columns_[i].align == Align::left;
      // Padded before painted: escape sequences take no columns.
      line += painted(last ? shown : padded(shown, widths[i], columns_[i].align), cell.tone,
                      style.colours);
    }
    append_line(text, std::move(line));
  };
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.emplace_back(column.title, Tone::faint);
  append_row([&](std::size_t i) -> const Cell& { return titles[i]; });
  for (const auto& row : rows_) {
    append_row([&](std::size_t i) -> const Cell& { return row[i]; });
  }
  return text;
}

}  // namespace taskpipe::cli
