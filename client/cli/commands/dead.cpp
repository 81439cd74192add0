// taskpipe dead list  ·  taskpipe dead show ID  ·  taskpipe dead resubmit ID… | --all
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/attempts_view.hpp"
#include "client/cli/commands/commands.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/follow.hpp"
#include "client/cli/listing.hpp"
#include "client/cli/progress_lines.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/task_ids.hpp"

namespace taskpipe::cli {
namespace {

constexpr std::size_t kFieldColumns = 12;

// --- Which ---------------------------------------------------------------------------------------

struct DeadFilter {
  std::string tool;
  std::string state;
};

void declare_filter(process::OptionTable& table, DeadFilter& filter) {
  table.text("tool", filter.tool, "TOOL", "Only tasks of this tool.");
  table.text("state,s", filter.state, "failed|timeout|error", "Only those that ended so.");
}

tl::expected<QueryFilter, Error> query_of(const DeadFilter& filter) {
  auto state = read_state(filter.state, dead_states());
  if (!state) return tl::unexpected(std::move(state.error()));
  QueryFilter query;
  query.tool = filter.tool;
  query.state = *state;
  return query;
}

// --- Show ----------------------------------------------------------------------------------------

struct Inspected {
  TaskRow row;
  std::optional<TaskResult> result;  // once it has ended
  ValueMap params;

  [[nodiscard]] std::vector<AttemptView> attempts() const {
    return attempts_of(row, result ? &*result : nullptr);
  }
};

CallResult<Inspected> inspect(Invocation& call, const TaskId& id) {
  Inspected found;
  auto row = call.client().inspect(id, call.asking());
  if (!row) return tl::unexpected(std::move(row.error()));
  found.row = std::move(*row);
  auto params = call.client().params(id, call.asking());
  if (!params) return tl::unexpected(std::move(params.error()));
  found.params = std::move(*params);
  if (is_terminal(found.row.state)) {
    // It has ended, so this answers at once.
    auto result = call.client().wait(id, call.asking());
    if (!result) return tl::unexpected(std::move(result.error()));
    found.result = std::move(*result);
  }
  return found;
}

void print_inspected(Invocation& call, const Inspected& task) {
  const TaskRow& row = task.row;
  const TextStyle style = call.console().style();
  const auto field = [&](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    call.out() << "  " << painted(padded(name, kFieldColumns), Tone::faint, style.colours) << value
               << '\n';
  };
  call.out() << painted(printable(label_of(row.tool, row.script)), Tone::strong, style.colours)
             << "  " << painted(name_of(row.state), tone_of(row.state), style.colours) << '\n';
  field("id", row.id.to_string());
  field("repeats", row.original ? row.original->to_string() : "");
  field("workflow", row.workflow ? row.workflow->to_string() : "");
  field("message", printable(row.message));
  field("params", printable(to_json_text(Value(task.params))));
  field("priority", row.priority == 0 ? "" : std::to_string(row.priority));
  field("submitted", date_time_text(row.submitted));
  field("ended", row.finished.unix_ms == 0 ? "" : date_time_text(row.finished));
  const auto attempts = task.attempts();
  if (attempts.empty()) {
    field("attempts", "none");
  } else {
    call.out() << '\n' << attempts_text(attempts, style);
  }
}

// --- Resubmit ------------------------------------------------------------------------------------

struct ResubmitPlan {
  bool all = false;
  DeadFilter filter;
  bool wait = false;
  bool follow = false;
};

tl::expected<std::vector<TaskId>, ExitCode> originals_of(Invocation& call,
                                                         const ResubmitPlan& plan) {
  const bool filtered = !plan.filter.tool.empty() || !plan.filter.state.empty();
  if (plan.all == !call.arguments().empty()) {
    return tl::unexpected(call.usage_error(plan.all ? "give task ids or --all, not both"
                                                    : "give task ids, or --all"));
  }
  if (!plan.all) {
    if (filtered) return tl::unexpected(call.usage_error("--tool and --state go with --all"));
    return find_tasks(call, call.arguments());
  }
  const auto query = query_of(plan.filter);
  if (!query) return tl::unexpected(call.usage_error(query.error()));
  // To its end before anything is submitted: what fails meanwhile is left for the next time.
  TaskListing listing = call.client().dead_letters(*query, call.asking());
  std::vector<TaskId> ids;
  while (const TaskRow* row = listing.next()) ids.push_back(row->id);
  if (listing.error()) return tl::unexpected(call.fail(*listing.error()));
  return ids;
}

struct Resubmitted {
  std::vector<TaskId> originals;
  std::vector<TaskId> ids;
  std::vector<BatchError::Item> refused;  // their indices refer to `originals`
};

Resubmitted resubmit(Invocation& call, std::vector<TaskId> originals) {
  Resubmitted done{std::move(originals), {}, {}};
  auto ids = call.client().resubmit(done.originals, call.asking());
  if (ids) {
    done.ids = std::move(*ids);
  } else {
    done.ids = std::move(ids.error().ids);
    done.refused = std::move(ids.error().items);
  }
  return done;
}

// The new ids of those that were accepted. Prints the pairs.
std::vector<TaskId> print_pairs(Invocation& call, const Resubmitted& done) {
  std::vector<TaskId> accepted;
  ValueList pairs;
  ValueList refused;
  auto refusal = done.refused.begin();
  for (std::size_t i = 0; i < done.originals.size(); ++i) {
    const std::string original = done.originals[i].to_string();
    if (refusal != done.refused.end() && refusal->index == i) {
      const Value error = error_document(refusal->error);
      refused.emplace_back(
          ValueMap{{"original", original}, {"error", error.as<ValueMap>()->at("error")}});
      ++refusal;
      continue;
    }
    accepted.push_back(done.ids[i]);
    if (call.json()) {
      pairs.emplace_back(ValueMap{{"original", original}, {"task_id", done.ids[i].to_string()}});
    } else {
      call.out() << original << "  ->  " << done.ids[i].to_string() << '\n';
    }
  }
  if (call.json()) {
    call.print(ValueMap{{"resubmitted", std::move(pairs)}, {"refused", std::move(refused)}});
  }
  call.out() << std::flush;
  return accepted;
}

}  // namespace

ExitCode run_dead_list(Invocation& call) {
  DeadFilter filter;
  std::uint32_t limit = kDefaultListed;
  declare_filter(call.options(), filter);
  declare_limit(call.options(), limit);
  if (const auto end = call.parse({0, 0})) return *end;
  const auto query = query_of(filter);
  if (!query) return call.usage_error(query.error());
  return print_listing(call, call.client().dead_letters(*query, call.asking()), limit,
                       "no dead letters");
}

ExitCode run_dead_show(Invocation& call) {
  if (const auto end = call.parse({1, 1})) return *end;
  const auto ids = find_tasks(call, call.arguments());
  if (!ids) return ids.error();
  const auto task = inspect(call, ids->front());
  if (!task) return call.fail(task.error());
  if (!call.json()) {
    print_inspected(call, *task);
    return ExitCode::success;
  }
  const Value row = row_document(task->row);
  ValueMap document = *row.as<ValueMap>();
  document["params"] = task->params;
  document["attempts"] = attempt_documents(task->attempts());
  call.print(std::move(document));
  return ExitCode::success;
}

ExitCode run_dead_resubmit(Invocation& call) {
  ResubmitPlan plan;
  call.options().flag("all", plan.all, "Every dead letter, rather than the named ones.");
  declare_filter(call.options(), plan.filter);
  call.options().group("Afterwards");
  call.options().flag("wait", plan.wait, "Wait for the end and print the results.");
  call.options().flag("follow,f", plan.follow, "Show the progress until the end.");
  if (const auto end = call.parse({0, kAnyNumber})) return *end;
  auto originals = originals_of(call, plan);
  if (!originals) return originals.error();
  const Resubmitted done = resubmit(call, std::move(*originals));
  const Followed followed{print_pairs(call, done), {}};
  if (!done.refused.empty()) {
    if (done.originals.size() > 1 && !call.json()) {
      call.console().complain("taskpipe: " + std::to_string(done.refused.size()) + " of " +
                              std::to_string(done.originals.size()) +
                              " tasks were not submitted again; why:");
    }
    return call.fail(done.refused.front().error);
  }
  if (followed.ids.empty()) call.console().hint("no dead letters");
  if (followed.ids.empty()) return ExitCode::success;
  if (plan.follow) return follow(call, followed, Millis::zero());
  if (plan.wait) return wait_for(call, followed, Millis::zero());
  return ExitCode::success;
}

}  // namespace taskpipe::cli
