#!/usr/bin/env python3
"""Shows that the simulator catches bugs: plants one at a time and runs lives until one fails.

    mutations.py BUILD [--hours H] [--some N | NAME…]

BUILD is a configured build folder that holds a built `simulate`. Each mutation replaces a piece of
one source file, which is compiled into BUILD/mutations and linked in front of the libraries; the
sources themselves are not touched. A mutation that survives H virtual hours (40) is a failure, and
so is one whose piece is no longer in the source: it has to be kept up with the code. --some N
plants N of them, others on each day, and looks whether the pieces of all are there.
"""

import argparse
import concurrent.futures
import datetime
import json
import pathlib
import random
import shlex
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIFE_MINUTES = "4"
RUN_LIMIT_S = 600

# name: (file, piece, what it is replaced by)
MUTATIONS = {
    "acknowledges before it is durable": (
        "broker/core/turn.cpp",
        "std::move(message), state.last_lsn});",
        "std::move(message), Lsn{}});"),
    "counts a result of any attempt": (
        "broker/core/worker_messages.cpp",
        "if (elsewhere || never_ran || !task.fence_is(item.attempt.epoch, item.attempt.attempt)) {",
        "if (never_ran) {"),
    "uses an attempt's number again": (
        "broker/core/placement.cpp",
        "state.epoch, task.attempt().next());",
        "state.epoch, std::max(task.attempt(), Attempt(1)));"),
    "forgets the attempt when it carries a task forward": (
        "broker/core/fold.cpp",
        "    execution.attempt = r.attempt;\n    execution.worker_losses = r.worker_losses;",
        "    execution.worker_losses = r.worker_losses;"),
    "tries again without end": (
        "broker/core/retry.cpp",
        "task.failures() + 1 < policy.max_attempts",
        "policy.max_attempts > 1"),
    "gives up an attempt too early": (
        "broker/core/retry.cpp",
        "task.failures() + 1 < policy.max_attempts",
        "task.failures() + 2 < policy.max_attempts"),
    "does not wait between attempts": (
        "broker/core/retry.cpp",
        "turn.now.wall.unix_ms + std::int64_t{delay_ms}",
        "turn.now.wall.unix_ms + std::int64_t{delay_ms} * 0"),
    "ends what waits before its time": (
        "broker/core/retry.cpp",
        "wait = left_of(task.spec->limits.queue_time_ms, since_ready_ms);",
        "wait = left_of(task.spec->limits.queue_time_ms / 4, since_ready_ms);"),
    "does not record a cancel": (
        "broker/core/cancel.cpp",
        "if (!placed->cancel_requested) plan.requested.items.push_back(id);",
        ""),
    "lets a result win over a cancel": (
        "broker/core/worker_messages.cpp",
        "if (placed == nullptr || !placed->cancel_requested || "
        "outcome.state == TaskState::cancelled) {",
        "if (true) {"),
    "does not tell workers of a cancel": (
        "broker/core/cancel.cpp",
        "plan.kills[placed->worker].items.push_back({{id, task.epoch(), task.attempt()}, grace});",
        "static_cast<void>(grace);"),
    "does not stop what was cancelled": (
        "worker/core/worker_core_work.cpp",
        "  turn.out.stops.push_back(\n      {key, attempt->kind, StopCause::cancelled,",
        "  if (false) turn.out.stops.push_back(\n      {key, attempt->kind, StopCause::cancelled,"),
    "ends tasks without running them": (
        "broker/core/cancel.cpp",
        "  plan.ack.items.push_back({id, ErrorCode::ok, !task.ended()});",
        "  if (task.workflow.value() != kNoSlot) {\n"
        "    for (const Member& m : state.workflows[task.workflow].members) {\n"
        "      if (m.slot.value() == kNoSlot) continue;\n"
        "      Task& other = state.tasks[m.slot];\n"
        "      if (other.id == id || other.ended() || other.ending || other.placed()) continue;\n"
        "      other.ending = true;\n"
        "      plan.ended.push_back({m.id, other.attempt, cancelled_outcome(\"\")});\n    }\n  }\n"
        "  plan.ack.items.push_back({id, ErrorCode::ok, !task.ended()});"),
    "leaves unstarted tasks with a worker that has forgotten them": (
        "broker/core/worker_session.cpp",
        "  requeue(turn, unstarted, record::RequeueCause::returned);\n",
        ""),
    "charges nothing to what was not announced": (
        "broker/core/worker_session.cpp",
        "(placed.started || restarted ? lost : unstarted).push_back(slot);",
        "(placed.started ? lost : unstarted).push_back(slot);"),
    "gives company to a task with one chance left": (
        "broker/core/capacity.cpp",
        "return task.worker_losses() < most_losses(state, task) ? Care::own_slot : Care::alone;",
        "return Care::own_slot;"),
    "does not give up a silent worker": (
        "broker/core/worker_session.cpp",
        "  requeue(turn, placed, record::RequeueCause::worker_lost);\n}",
        "}"),
    "asks the history only for what is missing now": (
        "broker/core/submit.cpp",
        "for (const auto& item : submit.items) ids.push_back(item.id);",
        "for (const auto& item : submit.items) {\n"
        "        if (state.tasks.find(item.id).value() == kNoSlot) ids.push_back(item.id);\n      }"),
    "does not look into the history": (
        "broker/core/submit.cpp",
        "if (correlation <= session.last_submit) return true;\n"
        "  session.last_submit = correlation;\n  return resend;",
        "return false;"),
    "does not have what was refused for now looked for": (
        "client/src/submit_queue.cpp",
        "(held_back && task.id_told)",
        "(held_back && false)"),
    "takes every SUBMIT for a new one": (
        "broker/core/submit.cpp",
        "if (correlation <= session.last_submit) return true;",
        ""),
    "starts dependents at once": (
        "broker/core/fold.cpp",
        "      if (open == 0) make_ready(state, member.slot, false);",
        "      make_ready(state, member.slot, false);"),
    "runs dependents after a failure": (
        "broker/core/fold_steps.cpp",
        "ended_as != TaskState::success && workflow.on_failure == OnFailure::cancel_dependents;",
        "false;"),
    "forgets tasks before the history has them": (
        "broker/core/archive.cpp",
        "if (ended > state.history_committed) break;",
        ""),
    "lets the journal go below living tasks": (
        "broker/core/images.cpp",
        "if (task.value() != kNoSlot) oldest = std::min(oldest, state.tasks[task].home_lsn);",
        ""),
    "does not sync the journal": (
        "broker/journal/segment_log.cpp",
        "  return settle(sync_all());",
        "  synced_ = written_;\n  return {};"),
    "says that the history reaches further than it does": (
        "broker/core/archive.cpp",
        "  batch.watermark = take_tasks(state, command.synced, command.most_tasks, batch);",
        "  batch.watermark =\n"
        "      Lsn(take_tasks(state, command.synced, command.most_tasks, batch).value() + 50);"),
    "runs TASKS that come twice": (
        "worker/core/worker_core_work.cpp",
        "    if (number <= tasks_messages_) {",
        "    if (number <= tasks_messages_) tasks_messages_ = number - 1;\n    if (false) {"),
    "does not repeat its submits to a new session": (
        "client/src/submit_queue.cpp",
        "  queue_.insert(queue_.begin(), std::make_move_iterator(unanswered.begin()),\n"
        "                std::make_move_iterator(unanswered.end()));\n}\n\nvoid SubmitQueue::on_ack",
        "}\n\nvoid SubmitQueue::on_ack"),
    "says that it waits for what a run submits, and does not": (
        "broker/core/submit.cpp",
        "if (submit.wait) awaited = accepted_ids(ack);",
        ""),
}


class Stale(Exception):
    """A mutation that no longer fits its source."""


def mutated_source(name):
    path, piece, instead = MUTATIONS[name]
    text = (ROOT / path).read_text()
    if text.count(piece) != 1:
        raise Stale(f"'{name}': its piece stands {text.count(piece)} times in {path}")
    return path, text.replace(piece, instead)


def compile_commands(build):
    entries = json.loads((build / "compile_commands.json").read_text())
    return {str(pathlib.Path(e["file"]).resolve().relative_to(ROOT)): e for e in entries
            if pathlib.Path(e["file"]).resolve().is_relative_to(ROOT)}


def link_command(build):
    done = subprocess.run(["ninja", "-C", build, "-t", "commands", "-s", "bin/simulate"],
                          capture_output=True, text=True, check=True)
    line = done.stdout.strip().splitlines()[-1]
    return [word for word in shlex.split(line) if word not in (":", "&&")]


def build_mutant(build, name, number, entries, link):
    path, text = mutated_source(name)
    folder = build / "mutations" / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    source, object_file, program = folder / "mutant.cpp", folder / "mutant.o", folder / "simulate"
    source.write_text(text)
    entry = entries[path]
    words = shlex.split(entry["command"])
    compiler = words[:words.index("-o")] + ["-w", "-o", str(object_file), "-c", str(source)]
    subprocess.run(compiler, cwd=entry["directory"], check=True)
    words = list(link)
    words[words.index("-o") + 1] = str(program)
    main = next(i for i, word in enumerate(words) if word.endswith("simulate_main.cpp.o"))
    words.insert(main + 1, str(object_file))
    subprocess.run(words, cwd=build, check=True)
    return program


def judge(build, name, number, entries, link, hours):
    """What became of it: (caught, a line for people)."""
    try:
        program = build_mutant(build, name, number, entries, link)
    except Stale as stale:
        return False, f"STALE     {stale}"
    try:
        done = subprocess.run([program, "--seed", "1", "--minutes", LIFE_MINUTES, "--hours",
                               str(hours), "--first"], capture_output=True, text=True,
                              timeout=RUN_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return False, f"ENDLESS   {name}"
    if done.returncode == 0:
        return False, f"SURVIVED  {name}"
    if done.returncode == -signal.SIGABRT and "Assertion" in done.stderr:
        return True, f"caught    {name}: by an assertion: {done.stderr.strip().splitlines()[-1]}"
    shown = [line.strip() for line in done.stdout.splitlines() if line.startswith("    ")]
    if done.returncode != 1 or not shown:
        return False, f"BROKEN    {name}: status {done.returncode}: {done.stderr.strip()}"
    return True, f"caught    {name}: {shown[0]}"


def check_control(build, hours):
    """Without any planted bug the same lives must pass, or the verdicts mean nothing."""
    done = subprocess.run([build / "bin" / "simulate", "--seed", "1", "--minutes", LIFE_MINUTES,
                           "--hours", str(hours), "--first"], capture_output=True, text=True,
                          timeout=RUN_LIMIT_S, check=False)
    if done.returncode != 0:
        sys.exit(f"mutations: a life fails without any planted bug:\n{done.stdout}{done.stderr}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--hours", type=float, default=40.0)
    parser.add_argument("--some", type=int, metavar="N")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    build = options.build.resolve()
    names = options.names or list(MUTATIONS)
    if options.some is not None:
        for name in names:
            mutated_source(name)
        names = random.Random(datetime.date.today().toordinal()).sample(names, options.some)
    unknown = [name for name in names if name not in MUTATIONS]
    if unknown:
        parser.error(f"there is no mutation '{unknown[0]}'")
    entries, link = compile_commands(build), link_command(build)
    check_control(build, options.hours)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        verdicts = list(pool.map(
            lambda at: judge(build, names[at], at, entries, link, options.hours),
            range(len(names))))
    for _, line in verdicts:
        print(line)
    caught = sum(verdict for verdict, _ in verdicts)
    print(f"{caught} of {len(names)} planted bugs caught")
    sys.exit(0 if caught == len(names) else 1)


if __name__ == "__main__":
    main()
