// Lists of tasks: which states they may be asked for, and how they are printed. For `list` and
// `dead list`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <tl/expected.hpp>

#include "client/cli/invocation.hpp"

namespace taskpipe::cli {

inline constexpr std::uint32_t kDefaultListed = 50;
inline constexpr std::uint32_t kMostListed = 1'000'000;

[[nodiscard]] std::span<const TaskState> every_state();
// Those in which a dead letter may have ended.
[[nodiscard]] std::span<const TaskState> dead_states();

// "failed, timeout, error", as --state takes them.
[[nodiscard]] std::string state_words(std::span<const TaskState> states);
// The state that --state names, "failed" as well as FAILURE; nothing for an empty text. INVALID for
// one that is not among `states`.
[[nodiscard]] tl::expected<std::optional<TaskState>, Error> read_state(
    const std::string& text, std::span<const TaskState> states);

// --limit, the most to list.
void declare_limit(process::OptionTable& table, std::uint32_t& limit);
// As many as the limit allows: a table, or {"tasks": […], "more": …} with --json. `none` is the
// hint where there are none.
ExitCode print_listing(Invocation& call, TaskListing listing, std::uint32_t limit,
                       const std::string& none);

}  // namespace taskpipe::cli
