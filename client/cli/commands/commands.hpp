// The commands. Each declares its options, parses, asks the broker, prints, and returns the exit
// code. docs/cli.md is the reference of what they take and print.
#pragma once

#include "client/cli/invocation.hpp"

namespace taskpipe::cli {

ExitCode run_submit(Invocation& call);
ExitCode run_workflow_submit(Invocation& call);
ExitCode run_workflow_run(Invocation& call);
ExitCode run_workflow_status(Invocation& call);
ExitCode run_sweep(Invocation& call);
ExitCode run_events(Invocation& call);
ExitCode run_top(Invocation& call);
ExitCode run_completion(Invocation& call);
ExitCode run_man(Invocation& call);
ExitCode run_help(Invocation& call);
ExitCode run_version(Invocation& call);
ExitCode run_wait(Invocation& call);
ExitCode run_monitor(Invocation& call);
ExitCode run_status(Invocation& call);
ExitCode run_list(Invocation& call);
ExitCode run_logs(Invocation& call);
ExitCode run_result(Invocation& call);
ExitCode run_artifacts_list(Invocation& call);
ExitCode run_artifacts_get(Invocation& call);
ExitCode run_dead_list(Invocation& call);
ExitCode run_dead_show(Invocation& call);
ExitCode run_dead_resubmit(Invocation& call);
ExitCode run_cancel(Invocation& call);
ExitCode run_tools(Invocation& call);
ExitCode run_workers(Invocation& call);
ExitCode run_health(Invocation& call);
ExitCode run_keygen(Invocation& call);

// What the shells' completion scripts ask, without --help and options: `sources.arguments` are the
// words typed so far.
ExitCode answer_completion(const process::OptionSources& sources, Console& console);

}  // namespace taskpipe::cli
