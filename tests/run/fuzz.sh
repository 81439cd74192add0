# shellcheck shell=bash
# Part of ./run: the fuzzers, what they begin with and what they find. See tests/fuzz.

readonly FUZZ_SECONDS=300      # of each target, unless told otherwise
readonly FUZZ_INPUT_MAX=16384  # bytes
readonly FUZZ_KEPT=tests/fuzz/corpus FUZZ_BUILT=build/fuzz

fuzz() { # [--seconds N] [--keep] [TARGET…]
  local seconds=$FUZZ_SECONDS keep=
  local -a targets=()
  while (($#)); do
    case $1 in
      --seconds)
        [[ ${2:-} =~ ^[0-9]+$ ]] || die "fuzz: --seconds takes a number"
        seconds=$2
        shift
        ;;
      --keep) keep=yes ;;
      -*) die "fuzz: unknown option $1" ;;
      *) targets+=("$1") ;;
    esac
    shift
  done
  deps
  fuzz_build "${targets[@]}" || die "the fuzzers do not build"
  if ((${#targets[@]} == 0)); then mapfile -t targets < <(fuzz_targets); fi
  if [[ -n $keep ]]; then
    fuzz_keep "${targets[@]}"
  else
    heading "fuzz, $seconds s each"
    fuzz_run "$seconds" "${targets[@]}"
  fi
}

fuzz_build() { # [TARGET…]
  local -a wanted=(fuzzers)
  if (($#)); then wanted=(fuzz_seeds "$@"); fi
  build fuzz "${wanted[@]}" && rm -rf "$FUZZ_BUILT/seeds" &&
    "$FUZZ_BUILT/bin/fuzz_seeds" "$FUZZ_BUILT/seeds"
}

fuzz_targets() {
  local program
  for program in "$FUZZ_BUILT"/bin/fuzz_*; do
    [[ $program == */fuzz_seeds ]] || say "${program##*/}"
  done
}

# The first folder takes what is new. What once crashed is among what all begin with.
fuzz_folders() { # TARGET
  local folder
  mkdir -p "$FUZZ_BUILT/corpus/$1"
  for folder in "$FUZZ_BUILT/corpus/$1" "$FUZZ_BUILT/seeds/$1" "$FUZZ_KEPT/$1" \
    "$FUZZ_KEPT/regressions/$1"; do
    [[ ! -d $folder ]] || say "$folder"
  done
}

fuzz_one() { # SECONDS TARGET; its status and its output go into files
  local -a folders
  mapfile -t folders < <(fuzz_folders "$2")
  local status=0
  "$FUZZ_BUILT/bin/$2" -max_total_time="$1" -max_len="$FUZZ_INPUT_MAX" -timeout=20 \
    -rss_limit_mb=2048 -print_final_stats=1 -entropic=0 -detect_leaks=0 \
    -artifact_prefix="$FUZZ_BUILT/crashes/$2-" "${folders[@]}" \
    >"$FUZZ_BUILT/logs/$2.log" 2>&1 || status=$?
  say "$status" >"$FUZZ_BUILT/logs/$2.status"
}

fuzz_report() { # TARGET; 1 = it crashed
  local log=$FUZZ_BUILT/logs/$1.log status runs input
  status=$(cat "$FUZZ_BUILT/logs/$1.status")
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  printf '%-20s %12s executions  %s\n' "$1" "${runs:-?}" "$( ((status)) && echo CRASHED || echo ok)"
  ((status)) || return 0
  grep -m 5 -E '^violated:|ERROR:|runtime error:|Assertion' "$log" || tail -n 5 "$log"
  input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  say "  repeat it: $FUZZ_BUILT/bin/$1 ${input:-(no input: see $log)}"
  return 1
}

fuzz_run() { # SECONDS TARGET…; as many at a time as there are processors
  local seconds=$1 target status=0
  shift
  mkdir -p "$FUZZ_BUILT/crashes" "$FUZZ_BUILT/logs"
  for target in "$@"; do
    [[ -x $FUZZ_BUILT/bin/$target ]] ||
      die "fuzz: no target $target; there are $(fuzz_targets | paste -sd ' ')"
    while (($(jobs -pr | wc -l) >= $(jobs_count))); do wait -n || true; done
    fuzz_one "$seconds" "$target" &
  done
  wait
  for target in "$@"; do fuzz_report "$target" || status=1; done
  return $status
}

# Chooses anew what to keep of all that there is. Edges alone count: how often each is passed would
# keep ten times as much.
readonly FUZZ_KEPT_BYTES=90000 FUZZ_KEPT_INPUTS=100  # of each target
fuzz_keep() { # TARGET…
  local target scratch
  scratch=$(mktemp -d)
  for target in "$@"; do
    local -a folders
    mapfile -t folders < <(fuzz_folders "$target")
    mkdir "$scratch/$target"
    "$FUZZ_BUILT/bin/$target" -merge=1 -use_counters=0 -max_len="$FUZZ_INPUT_MAX" \
      -merge_control_file="$scratch/control" "$scratch/$target" "${folders[@]}" \
      >"$scratch/log" 2>&1 || { tail -n 5 "$scratch/log"; die "fuzz: cannot merge $target"; }
    /usr/bin/python3 tests/fuzz/choose.py "$scratch/control" "$FUZZ_KEPT/$target" \
      "$FUZZ_KEPT_BYTES" "$FUZZ_KEPT_INPUTS"
    rm "$scratch/control"
  done
  rm -rf "$scratch"
  du -sh "$FUZZ_KEPT"
}
