# shellcheck shell=bash
# Part of ./run: what a machine can say about the sources.

readonly TIDY_UNITS_MAX=6  # looked at by lint, some 10 s each; --all looks at every one
readonly FILE_LINES_MAX=400

source_files() { # PATTERN… -> files of the project, tracked or new; also without git
  if git -c safe.directory='*' rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@" |
      while IFS= read -r file; do [[ ! -f $file ]] || say "$file"; done
  else
    local pattern
    for pattern in "$@"; do
      find . -path ./build -prune -o -type f -name "${pattern##*/}" -printf '%P\n'
    done
  fi | sort -u
}

lint_format() {
  source_files '*.cpp' '*.hpp' | xargs -r clang-format-14 --dry-run --Werror --style=file
}

# messages.hpp is the one schema of the wire, which belongs in one file.
lint_length() {
  local file lines status=0
  while IFS= read -r file; do
    lines=$(wc -l <"$file")
    if ((lines > FILE_LINES_MAX)); then
      say "$file: $lines lines, more than $FILE_LINES_MAX: split it"
      status=1
    fi
  done < <(source_files '*.cpp' '*.hpp' | grep -vx common/model/messages.hpp)
  return $status
}

# Broker, worker and client never include each other, and common includes none of them.
lint_direction() {
  local folder others status=0
  for folder in broker worker client common; do
    others=$(printf '%s\n' broker worker client | grep -vx "$folder" | paste -sd '|')
    if source_files "$folder/*.cpp" "$folder/*.hpp" | grep "^$folder/" |
      xargs -r grep -nE "^ *# *include \"($others)/"; then
      status=1
    fi
  done
  return $status
}

lint_shell() {
  { source_files '*.sh'; printf '%s\n' run .ci/run cmake/debian/*/p*; } | xargs shellcheck
}

lint_python() {
  source_files '*.py' | xargs -r /usr/bin/python3 -c '
import ast, sys
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        ast.parse(file.read(), name)'
}

changed_sources() { # since the branch left main, or since the commit before
  local git=(git -c safe.directory='*') base
  base=$("${git[@]}" merge-base HEAD main 2>/dev/null || true)
  if [[ -z $base || $base == $("${git[@]}" rev-parse HEAD 2>/dev/null) ]]; then base=HEAD~1; fi
  {
    "${git[@]}" diff --name-only --diff-filter=d "$base" -- '*.cpp' 2>/dev/null || true
    "${git[@]}" ls-files --others --exclude-standard -- '*.cpp' 2>/dev/null || true
  } | sort -u
}

lint_tidy() { # [--all | --third]; without either what changed
  cmake --preset tidy >"$(build_log tidy)" 2>&1 || { cat "$(build_log tidy)" >&2; return 1; }
  local -a files=() units
  if [[ -z ${1:-} ]]; then
    mapfile -t files < <(changed_sources)
    ((${#files[@]})) || return 0
  fi
  mapfile -t units < <(/usr/bin/python3 tests/support/tidy_units.py build/tidy "${files[@]}")
  if [[ ${1:-} == --third ]]; then
    local -a all=("${units[@]}")
    local i
    units=()
    for ((i = $(day_number) / ${#HEAVY_BY_DAY[@]} % 3; i < ${#all[@]}; i += 3)); do units+=("${all[i]}"); done
    say "clang-tidy: looks at ${#units[@]} of ${#all[@]} units, another third the next time"
  elif [[ -z ${1:-} ]] && ((${#units[@]} > TIDY_UNITS_MAX)); then
    say "clang-tidy: looks at $TIDY_UNITS_MAX of ${#units[@]} changed units; lint --all at every one"
    units=("${units[@]:0:TIDY_UNITS_MAX}")
  fi
  ((${#units[@]})) || return 0
  printf '%s\0' "${units[@]}" |
    xargs -0 -n 1 -P "$(jobs_count)" clang-tidy-14 -p build/tidy --quiet --warnings-as-errors='*'
}

lint() { # [--all]
  local check status=0
  heading lint
  for check in format length direction shell python; do
    "lint_$check" || { say "lint: $check failed"; status=1; }
  done
  lint_tidy "$@" || { say "lint: tidy failed"; status=1; }
  ((status)) || say "clean"
  return $status
}
