# shellcheck shell=bash
# Part of ./run: a cluster of several hosts, and other releases against this one.

readonly SKIPPED_STATUS=77  # of a script whose host lacks what it needs; it said what
readonly CLUSTER_PROGRAMS=(taskpipe taskpipe-broker taskpipe-worker load_client)

cluster_test() { # [--rounds N] [--tasks N]
  deps
  deps_solvers
  build dev "${CLUSTER_PROGRAMS[@]}" || die "the programs do not build"
  cluster_run "$@"
}

cluster_run() { # ARGUMENT…, passed on; the Python package is installed where it is not yet
  local venv=build/python/venv
  if ! "$venv/bin/python" -c 'import taskpipe' 2>/dev/null; then
    heading "the Python package"
    python_install "$venv" || say "UNAVAILABLE: Python client: the package could not be installed"
  fi
  heading "a cluster of six hosts"
  TASKPIPE_BIN_DIR="$ROOT/build/dev/bin" TASKPIPE_PYTHON="$ROOT/$venv/bin/python" \
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/cluster/cluster_test.py "$@"
}

readonly HEAVY_CLUSTER_LIMIT_S=600 # it takes about three minutes; beyond it hangs
heavy_cluster() {
  local status=0
  cluster_run --limit "$HEAVY_CLUSTER_LIMIT_S" || status=$?
  case $status in
    0) PASSED=$((PASSED + 1)) ;;
    "$SKIPPED_STATUS") ;;
    *) FAILED=$((FAILED + 1)) FAILURES+=("a cluster of six hosts") ;;
  esac
}

# An older build is made once and kept. Its tree is a worktree of this repository below build/.
older_build() { # COMMIT
  local folder=build/upgrade/$1
  local git=(git -c safe.directory='*')
  mkdir -p "$folder"
  if [[ ! -e $folder/source/.git ]]; then
    "${git[@]}" worktree prune
    "${git[@]}" worktree add --force --detach "$folder/source" "$1" >/dev/null 2>&1 ||
      die "upgrade-test: cannot check out $1"
  fi
  # As quickly as it can be compiled: what is looked at is what it does.
  cmake -S "$folder/source" -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=8 \
    >"$folder/configure.log" 2>&1 || { tail -n 20 "$folder/configure.log" >&2; return 1; }
  cmake --build "$folder/build" --parallel "$(jobs_count)" --target "${CLUSTER_PROGRAMS[@]}"
}

upgrade_test() { # REVISION
  (($# == 1)) || die "upgrade-test: name one older revision, such as HEAD~20 or a tag"
  local commit
  commit=$(git -c safe.directory='*' rev-parse --verify --quiet "$1^{commit}") ||
    die "upgrade-test: there is no revision '$1' here"
  deps
  heading "build $1 ($commit)"
  older_build "$commit" || die "upgrade-test: $1 does not build"
  build dev "${CLUSTER_PROGRAMS[@]}" || die "the programs do not build"
  heading "$1 and this tree in one cluster"
  TASKPIPE_BIN_DIR="$ROOT/build/dev/bin" TASKPIPE_OLD_BIN_DIR="$ROOT/build/upgrade/$commit/build/bin" \
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/upgrade/upgrade_test.py
}
