# shellcheck shell=bash
# Part of ./run: what must be installed, and its installation.

BUILD_PACKAGES=(
  build-essential cmake ninja-build ccache pkg-config git
  cppzmq-dev libmsgpack-cxx-dev libboost-dev libboost-program-options-dev libspdlog-dev
  libtomlplusplus-dev libexpected-dev libsqlite3-dev libssl-dev libxxhash-dev libre2-dev
  nlohmann-json3-dev libncurses-dev
)
TEST_PACKAGES=(
  iproute2 iptables
  mold libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev
  clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 shellcheck
  python3 python3-zmq python3-msgpack python3-venv python3-dev groff-base zsh fish
  strace valgrind systemd
)
# Tool and what it needs. FEniCSx compiles its forms with the C compiler of build-essential.
declare -rA SOLVER_PACKAGES=([lammps]=lammps [fenicsx]=python3-dolfinx [openfoam]=openfoam)

missing_packages() { # NAME… -> those that are not installed, one per line
  local name
  for name in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || say "$name"
  done
}

apt_get() { # apt-get ARGUMENT…, as root
  local -a as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || return 1
    as_root=(sudo -n)
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q \
    -o Acquire::Retries=3 -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@"
}

PACKAGE_LISTS_FRESH=
install_packages() { # NAME…; quiet unless it fails
  local log attempt
  log=$(mktemp)
  for attempt in 1 2 3; do
    if [[ -z $PACKAGE_LISTS_FRESH ]] && apt_get update >"$log" 2>&1; then
      PACKAGE_LISTS_FRESH=yes
    fi
    if apt_get install -y --no-install-recommends "$@" >"$log" 2>&1; then
      rm -f "$log"
      return 0
    fi
    ((attempt == 3)) || sleep 5
  done
  tail -n 5 "$log" >&2
  rm -f "$log"
  return 1
}

install_missing() { # NAME…, or the end
  local -a missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  heading "install ${missing[*]}"
  install_packages "${missing[@]}" || die "could not install ${missing[*]}"
}

deps() { # what building and testing needs
  command -v apt-get >/dev/null || die "this is no Debian: install by hand ${BUILD_PACKAGES[*]}"
  local -a missing
  mapfile -t missing < <(missing_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}")
  ((${#missing[@]})) || return 0
  heading "install ${missing[*]}"
  ((EUID == 0)) || command -v sudo >/dev/null ||
    die "neither root nor sudo; ask for: apt-get install --no-install-recommends ${missing[*]}"
  install_packages "${missing[@]}" || die "could not install ${missing[*]}"
}

deps_solvers() { # the simulation programs, each on its own: one that fails stops no other
  local tool
  for tool in lammps fenicsx openfoam; do
    if [[ -z $(missing_packages "${SOLVER_PACKAGES[$tool]}") ]]; then
      say "$tool: installed"
    elif install_packages "${SOLVER_PACKAGES[$tool]}"; then
      say "$tool: installed now (${SOLVER_PACKAGES[$tool]})"
    else
      say "UNAVAILABLE: $tool: package ${SOLVER_PACKAGES[$tool]} could not be installed"
    fi
  done
}

SOLVERS_INSTALLER=
begin_solvers() { # the network delivers what the tests need while the compiler works
  mkdir -p build
  deps_solvers >build/deps-solvers.log 2>&1 &
  SOLVERS_INSTALLER=$!
}

await_solvers() {
  heading "simulation programs"
  wait "$SOLVERS_INSTALLER" || true
  cat build/deps-solvers.log
}
