#include "client/cli/listing.hpp"

#include <array>
#include <utility>
#include <vector>

#include "client/cli/documents.hpp"
#include "client/cli/task_rows.hpp"
#include "common/process/suggestion.hpp"

namespace taskpipe::cli {
namespace {

constexpr std::array kEveryState = {TaskState::pending,  TaskState::running, TaskState::success,
                                    TaskState::failure,  TaskState::timeout, TaskState::error,
                                    TaskState::cancelled};
static_assert(kEveryState.back() == kLastTaskState);
constexpr std::array kDeadStates = {TaskState::failure, TaskState::timeout, TaskState::error};

}  // namespace

std::span<const TaskState> every_state() { return kEveryState; }
std::span<const TaskState> dead_states() { return kDeadStates; }

std::string state_words(std::span<const TaskState> states) {
  std::string words;
  for (const TaskState state : states) {
    words += (words.empty() ? "" : ", ") + std::string(status_word(state));
  }
  return words;
}

tl::expected<std::optional<TaskState>, Error> read_state(const std::string& text,
                                                         std::span<const TaskState> states) {
  if (text.empty()) return std::nullopt;
  std::vector<std::string> names;
  for (const TaskState state : states) {
    if (text == name_of(state) || text == status_word(state)) return state;
    names.emplace_back(status_word(state));
  }
  const std::string near = process::nearest_name(text, names);
  return tl::unexpected(Error{ErrorCode::invalid,
                              "--state: '" + text + "' is not one of " + state_words(states) +
                                  (near.empty() ? "" : "; did you mean '" + near + "'?"),
                              "state"});
}

void declare_limit(process::OptionTable& table, std::uint32_t& limit) {
  table.integer<std::uint32_t>("limit,n", limit, {1, kMostListed},
                               "The most to list, newest first.");
}

ExitCode print_listing(Invocation& call, TaskListing listing, std::uint32_t limit,
                       const std::string& none) {
  std::vector<TaskRow> rows;
  const TaskRow* row = listing.next();
  for (; row != nullptr && rows.size() < limit; row = listing.next()) rows.push_back(*row);
  if (listing.error()) return call.fail(*listing.error());
  const bool more = row != nullptr;
  if (call.json()) {
    call.print(ValueMap{{"tasks", row_documents(rows)}, {"more", more}});
    return ExitCode::success;
  }
  print_rows(call, rows);
  if (rows.empty()) call.console().hint(none);
  if (more) call.console().hint("there are more; --limit shows them");
  return ExitCode::success;
}

}  // namespace taskpipe::cli
