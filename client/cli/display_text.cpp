#include "client/cli/display_text.hpp"

#include <algorithm>
#include <array>

#include "common/model/utf8.hpp"

namespace taskpipe::cli {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode 15, East_Asian_Width W and F, and emoji presentation; neighbouring blocks are joined
// where what lies between is unassigned.
constexpr std::array<Range, 27> kWide = {
    {{0x1100, 0x115f},   {0x231a, 0x231b},  {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x25fd, 0x25fe},
     {0x2614, 0x2615},   {0x2648, 0x2653},  {0x26aa, 0x26ab}, {0x26bd, 0x26be}, {0x26c4, 0x26c5},
     {0x2705, 0x2705},   {0x274c, 0x274c},  {0x2753, 0x2755}, {0x2795, 0x2797}, {0x2b1b, 0x2b1c},
     {0x2e80, 0x303e},   {0x3041, 0x33ff},  {0x3400, 0x4dbf}, {0x4e00, 0xa4cf}, {0xa960, 0xa97c},
     {0xac00, 0xd7a3},   {0xf900, 0xfaff},  {0xfe30, 0xfe6f}, {0xff01, 0xff60}, {0xffe0, 0xffe6},
     {0x1f300, 0x1faff}, {0x20000, 0x3fffd}}};

// Combining marks, joiners and variation selectors of the scripts in common use.
constexpr std::array<Range, 18> kZeroWidth = {{{0x0300, 0x036f},
                                               {0x0483, 0x0489},
                                               {0x0591, 0x05bd},
                                               {0x0610, 0x061a},
                                               {0x064b, 0x065f},
                                               {0x06d6, 0x06dc},
                                               {0x0900, 0x0902},
                                               {0x093c, 0x093c},
                                               {0x0e31, 0x0e31},
                                               {0x0e34, 0x0e3a},
                                               {0x1ab0, 0x1aff},
                                               {0x1dc0, 0x1dff},
                                               {0x200b, 0x200f},
                                               {0x2060, 0x2064},
                                               {0x20d0, 0x20ff},
                                               {0xfe00, 0xfe0f},
                                               {0xfe20, 0xfe2f},
                                               {0xfeff, 0xfeff}}};

template <std::size_t N>
bool in_ranges(char32_t c, const std::array<Range, N>& ranges) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), c,
                                      [](char32_t x, const Range& r) { return x < r.first; });
  return after != ranges.begin() && c <= std::prev(after)->last;
}

std::size_t width_of(char32_t c) {
  if (c < 0x300) return 1;
  if (in_ranges(c, kZeroWidth)) return 0;
  return in_ranges(c, kWide) ? 2 : 1;
}

bool is_space_control(char32_t c) { return c == '\n' || c == '\r' || c == '\t'; }

bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029;
}

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

std::string_view sequence_of(Tone tone) {
  switch (tone) {
    case Tone::plain: return "";
    case Tone::good: return "\x1b[32m";
    case Tone::bad: return "\x1b[31m";
    case Tone::warning: return "\x1b[33m";
    case Tone::active: return "\x1b[36m";
    case Tone::faint: return "\x1b[2m";
    case Tone::strong: return "\x1b[1m";
  }
  return "";
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Utf8Char c = first_utf8_char(text);
    width += width_of(c.code_point);
    text.remove_prefix(c.bytes);
  }
  return width;
}

std::string printable(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = first_utf8_char(text);
    if (is_space_control(c.code_point)) {
      line += ' ';
    } else if (!c.valid || is_control(c.code_point)) {
      line += kReplacement;
    } else {
      line += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  return line;
}

std::string cut_to(std::string_view text, std::size_t columns, bool unicode) {
  if (display_width(text) <= columns) return std::string(text);
  const std::string_view mark = unicode ? "…" : "...";
  const std::size_t mark_columns = unicode ? 1 : 3;
  if (columns < mark_columns) return std::string(columns, '.');
  std::size_t width = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Utf8Char c = first_utf8_char(text.substr(bytes));
    if (width + width_of(c.code_point) > columns - mark_columns) break;
    width += width_of(c.code_point);
    bytes += c.bytes;
  }
  return std::string(text.substr(0, bytes)).append(mark);
}

std::string padded(std::string_view text, std::size_t columns, Align align) {
  const std::size_t width = display_width(text);
  const std::string space(columns > width ? columns - width : 0, ' ');
  return align == Align::left ? std::string(text) + space : space + std::string(text);
}

std::string painted(std::string_view text, Tone tone, bool colours) {
  if (!colours || tone == Tone::plain) return std::string(text);
  return std::string(sequence_of(tone)).append(text).append("\x1b[0m");
}

}  // namespace taskpipe::cli
