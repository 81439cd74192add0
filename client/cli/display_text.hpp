// Text on a terminal: how many columns it takes, and how to make it take fewer.
//
// Text from tools, workers and other users may hold anything, escape sequences included; what goes
// to a terminal passes through `printable` first.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace taskpipe::cli {

// Columns that valid UTF-8 text takes: 2 for wide characters (East Asian, emoji), 0 for combining
// ones. By a table of our own: the C library's answer would depend on the locale.
[[nodiscard]] std::size_t display_width(std::string_view text);

// One line of valid UTF-8 without control characters: line breaks and tabs become a space, other
// controls (also those of C1, and the marks that reverse the direction of writing) U+FFFD.
[[nodiscard]] std::string printable(std::string_view text);

// At most `columns` wide: what is too long is cut and ends in "…" ("..." without `unicode`).
[[nodiscard]] std::string cut_to(std::string_view text, std::size_t columns, bool unicode = true);

enum class Align { left, right };
// Exactly `columns` wide unless it is wider already.
[[nodiscard]] std::string padded(std::string_view text, std::size_t columns,
                                 Align align = Align::left);

// --- Colour -------------------------------------------------------------------------------------

enum class Tone { plain, good, bad, warning, active, faint, strong };

// `text` between the escape sequences of `tone`; unchanged without `colours`.
[[nodiscard]] std::string painted(std::string_view text, Tone tone, bool colours);

}  // namespace taskpipe::cli
