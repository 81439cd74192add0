# shellcheck shell=bash
# Part of ./run: where the time goes, whether it grows, and what happens in the long run.

readonly PROFILE_PACKAGES=(linux-perf)
profile() { # [--seconds N] [--of broker,worker,client] [--durability D]
  deps
  install_missing "${PROFILE_PACKAGES[@]}"
  build release task_bench taskpipe-broker taskpipe-worker taskpipe-spawner
  heading profile
  /usr/bin/python3 -B tests/bench/profile_run.py build/release/bin --dir build/profile "$@"
}

counts() { # [--update]
  deps
  build release instruction_counts
  heading "instructions per task"
  /usr/bin/python3 -B tests/bench/instruction_counts.py build/release/bin/instruction_counts "$@"
}

# After the simulator, which has compiled nearly all of it.
heavy_counts() {
  heading "instructions per task"
  local before=$FAILED
  step "build of the instruction counts" build release instruction_counts
  if ((FAILED == before)); then
    step "instruction counts" /usr/bin/python3 -B tests/bench/instruction_counts.py \
      build/release/bin/instruction_counts
  fi
  if ((FAILED == before)); then PASSED=$((PASSED + 1)); fi
}

soak() { # [--hours H] [--seed N]
  deps
  build release load_client taskpipe taskpipe-broker taskpipe-worker taskpipe-spawner
  heading soak
  /usr/bin/python3 -B tests/fault/soak.py build/release/bin --dir build/soak "$@"
}
