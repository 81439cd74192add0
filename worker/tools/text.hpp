// Small readings of text that manifests, scripts and solver output share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace taskpipe::worker {

// The whole of `text` as a finite decimal number ("12", "-1.5e-3", "+2"), or nothing.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

// Printable ASCII throughout: safe in logs, messages and names, whatever printed it.
[[nodiscard]] bool is_printable(std::string_view text);
// With '?' for every byte that is not.
[[nodiscard]] std::string printable(std::string_view text);

[[nodiscard]] std::string_view trimmed(std::string_view text);

// The parts between blanks (spaces and tabs); `out` is cleared first and keeps its memory.
void split_words(std::string_view text, std::vector<std::string_view>& out);

// "a, b, c, …": at most `bound` of the names.
[[nodiscard]] std::string enumerate(const std::vector<std::string>& names, std::size_t bound);

// The candidate that `name` most likely was meant to be: within a third of its length in edits
// (swapped neighbours count once), or empty. Cost O(candidates × length²); for error messages.
[[nodiscard]] std::string_view nearest_name(std::string_view name,
                                            const std::vector<std::string>& candidates);

}  // namespace taskpipe::worker
