// taskpipe submit TOOL [SCRIPT]
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "client/cli/follow.hpp"
#include "client/cli/submit_request.hpp"
#include "client/cli/task_ids.hpp"

namespace taskpipe::cli {
namespace {

constexpr std::uint32_t kMaxCount = 1'000'000;

struct Plan {
  std::uint32_t count = 1;
  bool wait = false;
  bool follow = false;
};

void print_ids(Invocation& call, const std::vector<TaskId>& ids) {
  if (call.json()) {
    ValueList list;
    for (const TaskId& id : ids) list.emplace_back(id.to_string());
    call.print(ValueMap{{"task_ids", std::move(list)}});
    return;
  }
  for (const TaskId& id : ids) call.out() << id.to_string() << '\n';
  call.out() << std::flush;
  if (ids.size() == 1) {
    call.console().hint("to look on:  taskpipe monitor " + ids.front().to_string());
  }
}

// The ids of the accepted ones are printed even when others were refused: they run.
ExitCode report_partly_refused(Invocation& call, const BatchError& error) {
  std::vector<TaskId> accepted;
  std::size_t item = 0;
  for (std::size_t i = 0; i < error.ids.size(); ++i) {
    const bool refused = item < error.items.size() && error.items[item].index == i;
    if (refused) {
      ++item;
    } else {
      accepted.push_back(error.ids[i]);
    }
  }
  if (!accepted.empty()) print_ids(call, accepted);
  if (error.items.size() > 1 && !call.json()) {
    call.console().complain("taskpipe: " + std::to_string(error.items.size()) + " of " +
                            std::to_string(error.ids.size()) + " tasks were not accepted; why:");
  }
  return call.fail(error.first());
}

}  // namespace

ExitCode run_submit(Invocation& call) {
  SubmitOptions options;
  Plan plan;
  declare(call.options(), options);
  call.options().group("Afterwards");
  call.options().integer<std::uint32_t>("count,n", plan.count, {1, kMaxCount},
                                        "Submit this many equal tasks.");
  call.options().flag("wait", plan.wait, "Wait for the end and print the result.");
  call.options().flag("follow,f", plan.follow, "Show the progress until the end.");
  if (const auto end = call.parse({1, 2})) return *end;

  const auto& words = call.arguments();
  auto request = make_request(words[0], words.size() > 1 ? words[1] : "", options);
  if (!request) return call.usage_error(request.error());

  std::vector<TaskId> ids;
  if (plan.count == 1) {
    const auto id = call.client().submit(*request, call.asking());
    if (!id) return call.fail(id.error());
    ids.push_back(*id);
  } else {
    const std::vector<TaskRequest> tasks(plan.count, *request);
    auto accepted = call.client().submit_batch(tasks, call.asking());
    if (!accepted) return report_partly_refused(call, accepted.error());
    ids = std::move(*accepted);
  }
  const Followed followed{ids, {}};
  if (plan.follow) return follow(call, followed, Millis::zero());
  if (plan.wait) return wait_for(call, followed, Millis::zero());
  print_ids(call, ids);
  return ExitCode::success;
}

}  // namespace taskpipe::cli
