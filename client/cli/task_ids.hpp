// Which tasks a command is about.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "client/cli/invocation.hpp"

namespace taskpipe::cli {

inline constexpr std::size_t kIdDigits = 32;
// The first 12 digits of an id are its time in milliseconds: fewer than this would fit most tasks
// of a day.
inline constexpr std::size_t kLeastPrefixDigits = 8;

// --workflow ID, for commands that take all tasks of a workflow instead of naming them.
void declare_workflow_option(process::OptionTable& table, std::string& workflow);

enum class IdText { whole, prefix, neither };
// `whole`: 32 hex digits. `prefix`: at least kLeastPrefixDigits of them.
[[nodiscard]] IdText classify_id(std::string_view text);

// The ids in `texts`, each once, in their order; an abbreviated one is looked up among the newest
// tasks (limits::kListPageRows). With `workflow` the ids of its tasks in their order. Reports what
// is wrong and returns the code to end with.
[[nodiscard]] tl::expected<std::vector<TaskId>, ExitCode> find_tasks(
    Invocation& call, const std::vector<std::string>& texts, const std::string& workflow = "");

// What to say of a text that is no workflow's id, and of ids that the broker does not know.
[[nodiscard]] Error no_workflow_id(const std::string& text);
[[nodiscard]] Error no_such_tasks(const std::vector<TaskId>& ids);

// As people type them: "0123… 4567…"; more than a few are cut.
[[nodiscard]] std::string ids_text(const std::vector<TaskId>& ids);

// "tool script" of each id, or its id where the task is not known. One request.
[[nodiscard]] CallResult<std::vector<TaskRow>> rows_of(Invocation& call,
                                                       const std::vector<TaskId>& ids);
[[nodiscard]] std::string label_of(std::string_view tool, std::string_view script);

}  // namespace taskpipe::cli
