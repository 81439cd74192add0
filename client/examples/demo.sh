#!/usr/bin/env bash
# A broker, two workers and three real simulations on this machine, in a temporary folder.
#
#   demo.sh BIN_DIR        # where taskpipe, taskpipe-broker and taskpipe-worker are
#
# Solvers that are not installed are named, with the reason, and the others run. Exit code 0 only
# if every task succeeded. Whatever was started is stopped; results and logs stay where it says.
set -euo pipefail

readonly START_LIMIT_S=60
readonly STOP_LIMIT_S=15
readonly FIRST_PORT=20000
readonly LAST_PORT=32000 # below the ephemeral range
readonly TOOLS=(lammps fenicsx openfoam)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${1:-}
if [[ -z $bin || ! -x $bin/taskpipe-broker || ! -x $bin/taskpipe-worker || ! -x $bin/taskpipe ]]; then
  echo "usage: demo.sh BIN_DIR   (taskpipe, taskpipe-broker and taskpipe-worker must be there)" >&2
  exit 2
fi
bin=$(cd "$bin" && pwd)

# The demo is the same for everybody: no settings of the user's own.
for variable in "${!TASKPIPE_@}"; do unset "$variable"; done
export TASKPIPE_CONFIG=/dev/null

folder=$(mktemp -d "${TMPDIR:-/tmp}/taskpipe-demo.XXXXXX")
pids=()

say() { printf '\n== %s\n' "$*"; }

# Ends what was started, in reverse order: the workers before the broker.
stop_all() {
  local pid i step
  trap - EXIT
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    pid=${pids[i]}
    kill -TERM "$pid" 2>/dev/null || continue
    for ((step = 0; step < STOP_LIMIT_S * 20; step++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

start() { # NAME COMMAND...
  local name=$1
  shift
  "$@" >"$folder/$name.log" 2>&1 &
  pids+=($!)
}

# A port that nobody listens on; different each time it is asked for.
next_port=$((FIRST_PORT + RANDOM % (LAST_PORT - FIRST_PORT)))
free_port() {
  while ((next_port < 32768)); do
    next_port=$((next_port + 1))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$next_port") 2>/dev/null; then
      port=$next_port
      return
    fi
  done
  echo "no free port below 32768" >&2
  exit 1
}

check_alive() {
  local i
  for i in "${!pids[@]}"; do
    kill -0 "${pids[i]}" 2>/dev/null && continue
    echo "a program has ended; the ends of the logs in $folder:" >&2
    tail -n 5 "$folder"/*.log >&2
    exit 1
  done
}

# Until the broker says that it is well and has both workers. Each call waits for the broker itself.
wait_until_healthy() {
  local health pause=0.05 deadline=$((SECONDS + START_LIMIT_S))
  while ((SECONDS < deadline)); do
    health=$("$bin/taskpipe" health --json --connect-timeout 5s 2>/dev/null || true)
    if [[ $health == *'"healthy":true'* && $health =~ \"workers\":2[,}] ]]; then return; fi
    check_alive
    sleep "$pause"
    pause=$(case $pause in 0.05) echo 0.1 ;; 0.1) echo 0.2 ;; *) echo 0.5 ;; esac)
  done
  echo "the broker and two workers were not ready within $START_LIMIT_S s; logs: $folder" >&2
  exit 1
}

# Why no worker offers a tool, from the log of the first.
reason_for() { # TOOL
  local reason
  reason=$(grep -F "/$1.toml" "$folder/node-a.log" | grep -F '"not offered"' |
    sed -n 's/.*"why": *"\([^"]*\)".*/\1/p' | head -n 1)
  echo "${reason:-no manifest for it was found}"
}

say "Starting a broker and two workers in $folder"
free_port && client_port=$port
free_port && worker_port=$port
free_port && event_port=$port
free_port && bulk_port=$port
start broker "$bin/taskpipe-broker" --data-dir "$folder/broker" \
  --client-bind "tcp://127.0.0.1:$client_port" --worker-bind "tcp://127.0.0.1:$worker_port" \
  --event-bind "tcp://127.0.0.1:$event_port" --bulk-bind "tcp://127.0.0.1:$bulk_port"
for name in node-a node-b; do
  start "$name" "$bin/taskpipe-worker" --broker "tcp://127.0.0.1:$worker_port" --name "$name" \
    --work-dir "$folder/$name" --drain-timeout 5s --log-format json
done
export TASKPIPE_BROKER=tcp://127.0.0.1:$client_port
wait_until_healthy
"$bin/taskpipe" workers

say "Tools"
"$bin/taskpipe" tools
offered=$("$bin/taskpipe" tools --json)
entries=()
for tool in "${TOOLS[@]}"; do
  if [[ $offered == *"\"name\":\"$tool\""* ]]; then
    entries+=("$(grep -F "\"tool\": \"$tool\"" "$here/demo.json" | sed 's/,$//')")
  else
    echo "left out: $tool ($(reason_for "$tool"))"
  fi
done
if ((${#entries[@]} == 0)); then
  echo "none of the solvers is installed; on Debian: apt-get install lammps fenicsx openfoam" >&2
  exit 1
fi

say "Running ${#entries[@]} simulations as one workflow, in parallel"
(
  IFS=,
  printf '[%s]\n' "${entries[*]}"
) >"$folder/workflow.json"
workflow=$("$bin/taskpipe" workflow submit "$folder/workflow.json" 2>"$folder/submit.log") ||
  { cat "$folder/submit.log" >&2 && exit 1; }
status=0
"$bin/taskpipe" monitor --workflow "$workflow" 2>"$folder/monitor.log" || status=$?
cat "$folder/monitor.log" >&2
if ((status == 130)); then exit 130; fi

say "Results"
"$bin/taskpipe" result --workflow "$workflow" || status=$?

say "What the first one left, fetched from the broker"
rows=$("$bin/taskpipe" workflow status "$workflow" --json)
if [[ $rows =~ \"task_id\":\"([0-9a-f]{32})\" ]]; then
  "$bin/taskpipe" artifacts list "${BASH_REMATCH[1]}" || status=$?
  "$bin/taskpipe" artifacts get "${BASH_REMATCH[1]}" --to "$folder/results" || status=$?
fi

say "Stopping"
stop_all
rm -rf "$folder/broker"
echo "Results and logs stay in $folder"
if ((status != 0)); then
  echo "Not every task succeeded." >&2
  exit 1
fi
