# shellcheck shell=bash
# Part of ./run: tests, their tiers, and how they are counted.

readonly TEST_LABELS='unit|contract|scenario|simulation|structure|integration|fault|solvers'

PASSED=0  # tests, and steps that count as one
FAILED=0
FAILURES=()
TIMINGS=()  # of the parts of `test`, for who wants them shorter

timed() { # NAME COMMAND…
  local began=$SECONDS
  "${@:2}"
  TIMINGS+=("$(printf '%5d s  %s' "$((SECONDS - began))" "$1")")
}

step() { # NAME COMMAND…: one that counts as a test when it fails
  local name=$1
  shift
  # In a subshell of its own with `set -e`, which a condition would switch off inside.
  set +e
  (set -e; "$@")
  local status=$?
  set -e
  if ((status)); then
    FAILED=$((FAILED + 1))
    FAILURES+=("$name")
  fi
  return 0
}

run_ctest() { # PRESET LABELS; one more at a time than processors, since half of them wait
  local preset=$1 labels=$2 report=build/$1/tests.xml
  rm -rf "$report" "build/$preset/shards"
  local status=0
  ctest --test-dir "build/$preset" --parallel "$(($(jobs_count) + 1))" --label-regex "^($labels)\$" \
    --output-on-failure --test-output-size-passed 65536 --no-tests=error --output-junit "$ROOT/$report" || status=$?
  count_results "$preset" "$status" "$report" "build/$preset/shards"
}

count_results() { # NAME STATUS REPORT [FOLDER]
  local counted passed failed
  if ! counted=$(/usr/bin/python3 tests/support/count_results.py "${@:3}"); then
    FAILED=$((FAILED + 1))
    FAILURES+=("tests of $1 (no report; their runner ended with status $2)")
    return 0
  fi
  read -r passed failed _ <<<"$counted"
  if (($2 != 0)) && ((failed == 0)); then
    failed=1
    FAILURES+=("tests of $1 (their runner ended with status $2)")
  fi
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
  local line
  while IFS= read -r line; do FAILURES+=("${line#failed: }"); done < <(grep '^failed: ' <<<"$counted")
  sed -n 's/^skipped: /UNAVAILABLE: /p' <<<"$counted"
}

summary() {
  local failure
  say ""
  if ((${#TIMINGS[@]})); then printf '%s\n' "${TIMINGS[@]}"; fi
  for failure in "${FAILURES[@]}"; do say "failed: $failure"; done
  say "$PASSED passed, $FAILED failed"
  ((FAILED == 0))
}

test_ordinary() {
  timed build step build build dev
  timed "packages of the solvers" await_solvers
  if ((FAILED)); then return 0; fi
  timed lint step lint lint
  heading test
  timed tests run_ctest dev "$TEST_LABELS"
}

# The heavy tier: every function prints a heading and counts its results. Of HEAVY_BY_DAY one runs on
# each day, so that the whole stays within three quarters of an hour.
HEAVY=(heavy_docs heavy_simulation heavy_counts heavy_fuzz heavy_fault heavy_tsan heavy_wheel heavy_cluster
  package_test compose_test heavy_by_day)
readonly HEAVY_BY_DAY=(heavy_tidy heavy_planted_bugs heavy_kills)

day_number() { say "$(($(date +%s) / 86400))"; }

heavy_by_day() {
  local today=${HEAVY_BY_DAY[$(day_number) % ${#HEAVY_BY_DAY[@]}]} other
  for other in "${HEAVY_BY_DAY[@]}"; do
    [[ $other == "$today" ]] || say "on another day: $other"
  done
  timed "  $today" "$today"
}

heavy_docs() {
  local before=$FAILED
  step "the API reference" docs
  if ((FAILED == before)); then PASSED=$((PASSED + 1)); fi
}

heavy_tidy() {
  heading "clang-tidy, a third of the product"
  local before=$FAILED
  step "clang-tidy" lint_tidy --third
  if ((FAILED == before)); then PASSED=$((PASSED + 1)); fi
}

# New seeds each time, and the old ones that once failed.
readonly HEAVY_SIMULATED_HOURS=20
readonly HEAVY_PLANTED_BUGS=10
heavy_simulation() {
  timed "  build of the simulator" step "build of the simulator" build release simulate
  local simulate=build/release/bin/simulate before=$FAILED
  if [[ ! -x $simulate ]]; then return 0; fi
  heading "seeds that once failed"
  step "seeds that once failed" "$simulate" --list tests/simulation/regressions.txt
  heading "$HEAVY_SIMULATED_HOURS virtual hours"
  timed "  simulation" step "simulation" "$simulate" --seed "$((RANDOM * 32768 + RANDOM))" --hours "$HEAVY_SIMULATED_HOURS"
  PASSED=$((PASSED + 2 - (FAILED - before)))
}

heavy_planted_bugs() {
  heading "planted bugs"
  local before=$FAILED
  step "planted bugs" /usr/bin/python3 tests/simulation/mutations.py build/release \
    --some "$HEAVY_PLANTED_BUGS"
  if ((FAILED == before)); then PASSED=$((PASSED + 1)); fi
}

# The kept corpus, what once crashed, and half a minute of new inputs for each fuzzer.
readonly HEAVY_FUZZ_SECONDS=30
heavy_fuzz() {
  local before=$FAILED target
  timed "  build of the fuzzers" step "build of the fuzzers" fuzz_build
  if ((FAILED > before)); then return 0; fi
  heading "fuzz, $HEAVY_FUZZ_SECONDS s each"
  local -a targets
  mapfile -t targets < <(fuzz_targets)
  fuzz_run "$HEAVY_FUZZ_SECONDS" "${targets[@]}" || true
  for target in "${targets[@]}"; do
    step "fuzz: $target" test "$(cat "$FUZZ_BUILT/logs/$target.status")" = 0
  done
  PASSED=$((PASSED + ${#targets[@]} - (FAILED - before)))
}

# What takes long or a special host: workers killed, hosts cut off from each other (network
# namespaces), small file systems that fill up, copies of a running broker.
heavy_fault() {
  heading "faults of processes, hosts and disks"
  run_ctest dev heavy
}

# More kills of the broker than in the ordinary tier, and with another seed.
heavy_kills() {
  heading "kill -9 of the broker, thirty times under load"
  local before=$FAILED
  step "thirty kills" env TASKPIPE_BIN_DIR="$ROOT/build/dev/bin" TASKPIPE_FAULT_KILLS=30 \
    TASKPIPE_FAULT_TASKS=20000 TASKPIPE_FAULT_SEED="$RANDOM" PYTHONDONTWRITEBYTECODE=1 \
    timeout 600 /usr/bin/python3 tests/fault/kill_broker_test.py
  if ((FAILED == before)); then PASSED=$((PASSED + 1)); fi
}

# The real programs with every thread at work; what takes longer to compile than to tell comes with
# `./run tsan`.
heavy_tsan() { tsan threads; }

# The Python package as users get it: from pip, into a fresh virtual environment.
heavy_wheel() { python_test; }

python_test() { # installs client/python into build/python/venv, lints and tests it
  heading "the Python package"
  local before=$FAILED bin venv=build/python/venv
  bin=$(bin_folder) || { step "programs to test against" false; return 0; }
  step "pip install ./client/python" python_install "$venv"
  if ((FAILED > before)); then return 0; fi
  step "ruff and mypy" python_lint "$venv"
  local report=build/python/tests.xml status=0
  rm -f "$report"
  TASKPIPE_BIN_DIR="$ROOT/$bin" PYTHONDONTWRITEBYTECODE=1 timeout 900 \
    "$venv/bin/python" -m pytest -q -p no:cacheprovider -o faulthandler_timeout=120 \
    --junit-xml="$report" \
    tests/python/taskpipe || status=$?
  count_results "the Python package" "$status" "$report"
}

bin_folder() { # the first that has the programs
  local preset
  for preset in release dev; do
    if [[ -x build/$preset/bin/taskpipe-broker && -x build/$preset/bin/taskpipe-worker ]]; then
      say "build/$preset/bin"
      return 0
    fi
  done
  say "no programs in build/release/bin or build/dev/bin; ./run build release makes them" >&2
  return 1
}

python_install() { # VENV
  rm -rf "$1"
  /usr/bin/python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check "nanobind>=3,<4" ruff mypy pytest
  # By the name that the presets use: ccache takes another name for another compiler.
  CXX=${CXX:-/usr/bin/c++} "$1/bin/pip" install --quiet --disable-pip-version-check ./client/python
}

python_lint() { # VENV
  "$1/bin/ruff" check --config client/python/pyproject.toml client/python client/examples/python
  "$1/bin/ruff" format --check --config client/python/pyproject.toml \
    client/python client/examples/python
  "$1/bin/mypy" --config-file client/python/pyproject.toml client/python/src client/examples/python
}

# Under ThreadSanitizer: the real programs with every thread at work, and the tests of what has threads.
# A program that is killed cannot fail a test any more: the reports are files, and none may be there.
tsan() { # [TARGET]: threads, or more_threads (all of them)
  local target=${1:-more_threads} before=$FAILED reports=$ROOT/build/tsan/races report
  local -a build_too=()
  # The command line drives the test from outside; any build of it will do.
  local cli=$ROOT/build/dev/bin/taskpipe
  if [[ ! -x $cli ]]; then cli=$ROOT/build/tsan/bin/taskpipe build_too=(taskpipe); fi
  step "build tsan" build tsan "$target" "${build_too[@]}"
  if ((FAILED > before)); then return 0; fi
  heading "test under ThreadSanitizer"
  rm -rf "$reports"
  mkdir -p "$reports"
  local options=halt_on_error=1:second_deadlock_stack=1:log_path=$reports/race
  TSAN_OPTIONS=$options:suppressions=$ROOT/tests/tsan.supp TASKPIPE_CLI=$cli \
    run_ctest tsan "threads|$target"
  for report in "$reports"/race*; do
    [[ -e $report ]] || continue
    cat "$report"
    FAILED=$((FAILED + 1))
    FAILURES+=("ThreadSanitizer: $report")
  done
}

run_tests() { # [--all]
  case ${1:-} in '' | --all) ;; *) die "test: unknown option $1" ;; esac
  deps
  begin_solvers
  test_ordinary
  if [[ ${1:-} == --all ]] && ((FAILED == 0)); then
    local tier
    rm -rf "$PACKAGES_DIR"  # of another revision
    for tier in "${HEAVY[@]}"; do timed "$tier" "$tier"; done
  fi
  summary
}
