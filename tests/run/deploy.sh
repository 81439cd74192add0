# shellcheck shell=bash
# Part of ./run: Debian packages, and the tests of what runs taskpipe elsewhere. See docs/deployment.md.

readonly PACKAGES_DIR=build/packages
PACKAGING_PACKAGES=(dpkg-dev file fakeroot python3-dev python3-venv)

packages() { # build/packages/*.deb
  deps
  install_missing "${PACKAGING_PACKAGES[@]}"
  local venv=build/nanobind
  if [[ ! -f $venv/lib/python3.11/site-packages/nanobind/cmake/nanobind-config.cmake ]]; then
    /usr/bin/python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "nanobind>=3,<4"
  fi
  build debian packages_content
  heading "packages"
  rm -rf "$PACKAGES_DIR"
  (umask 022 && cpack --config build/debian/CPackConfig.cmake -B "$PACKAGES_DIR") \
    >build/cpack.log 2>&1 || { tail -n 20 build/cpack.log >&2; return 1; }
  rm -rf "$PACKAGES_DIR/_CPack_Packages"
  local file
  for file in "$PACKAGES_DIR"/*.deb; do say "$(du -h --apparent-size "$file")"; done
}

packages_there() { # or makes them
  compgen -G "$PACKAGES_DIR/*.deb" >/dev/null || packages
}

readonly DEBIAN_ROOT=build/debian-root  # a plain Debian 12, made once
debian_root() {
  [[ ! -f $DEBIAN_ROOT/.whole ]] || return 0
  install_missing debootstrap
  rm -rf "$DEBIAN_ROOT"
  heading "a plain Debian 12 in $DEBIAN_ROOT"
  debootstrap --variant=minbase bookworm "$DEBIAN_ROOT" >build/debootstrap.log 2>&1 || {
    tail -n 5 build/debootstrap.log >&2
    return 1
  }
  rm -rf "$DEBIAN_ROOT"/var/lib/apt/lists/* "$DEBIAN_ROOT"/var/cache/apt/archives/*.deb \
    "$DEBIAN_ROOT"/usr/share/locale/* "$DEBIAN_ROOT"/etc/resolv.conf "$DEBIAN_ROOT"/etc/hostname
  find "$DEBIAN_ROOT/usr/share/doc" -type f ! -name copyright -delete
  cat >"$DEBIAN_ROOT/etc/apt/apt.conf.d/docker-clean" <<'TEXT'
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
TEXT
  touch "$DEBIAN_ROOT/.whole"
}

can_mount() {
  local folder
  folder=$(mktemp -d)
  local status=0
  mount -t tmpfs none "$folder" 2>/dev/null && umount "$folder" || status=$?
  rmdir "$folder"
  return $status
}

package_test() { # installs, uses, removes and purges the packages in a plain Debian
  heading "the packages in a plain Debian"
  ((EUID == 0)) || { say "UNAVAILABLE: package test: chroot needs root"; return 0; }
  can_mount || { say "UNAVAILABLE: package test: root may not mount here"; return 0; }
  local before=$FAILED
  step "packages" packages_there
  step "a plain Debian" debian_root
  if ((FAILED > before)); then return 0; fi
  step "packages in a plain Debian" timeout 600 tests/deploy/package_test.sh "$DEBIAN_ROOT" "$PACKAGES_DIR"
  if ((FAILED == before)); then PASSED=$((PASSED + 1)); fi
  systemd_test
}

systemd_test() { # the units of the packages under a systemd of their own
  heading "the units under systemd"
  command -v systemd-nspawn >/dev/null || install_packages systemd-container ||
    { say "UNAVAILABLE: units under systemd: systemd-container could not be installed"; return 0; }
  local status=0 log=build/systemd-test.log
  timeout 600 tests/deploy/systemd_test.sh "$DEBIAN_ROOT" "$PACKAGES_DIR" 2>&1 | tee "$log" || status=$?
  if ((status == 77)); then
    say "UNAVAILABLE: units under systemd: $(tail -n 1 "$log")"
  else
    step "units under systemd" test "$status" = 0
    if ((status == 0)); then PASSED=$((PASSED + 1)); fi
  fi
}

# The stack of compose/ in real containers. What this host lacks for it is printed, and no failure.
compose_test() {
  heading "the stack of containers"
  local before=$FAILED reason
  step "packages" packages_there
  if ((FAILED > before)); then return 0; fi
  if ! reason=$(docker_programs 2>&1) || ! docker_begin; then
    say "UNAVAILABLE: compose test: ${reason:-dockerd does not start: $(tail -n 1 build/dockerd.log)}"
    docker_end
    tools_in_containers build/debian/bin
    return 0
  fi
  step "a base image" docker_base
  if ((FAILED == before)); then
    step "the stack of containers" env PYTHONDONTWRITEBYTECODE=1 timeout 1800 \
      /usr/bin/python3 tests/deploy/compose_test.py --bin build/debian/bin --base "$BASE_IMAGE"
  fi
  if ((FAILED == before)); then PASSED=$((PASSED + 1)); fi
  tools_in_containers build/debian/bin
  docker_end
}

# Tools in containers of each runtime that works here, under a worker of this host.
container_test() {
  heading "tools in containers"
  local reason before=$FAILED
  step "programs to test" build release taskpipe taskpipe-broker taskpipe-worker
  if ((FAILED > before)); then return 0; fi
  if ! reason=$(docker_programs 2>&1) || ! docker_begin; then
    say "UNAVAILABLE: tools in containers of docker: ${reason:-dockerd does not start: $(tail -n 1 build/dockerd.log)}"
  fi
  tools_in_containers build/release/bin
  docker_end
}

tools_in_containers() { # BIN
  (install_missing docker-registry) >/dev/null 2>&1 || true  # the tests say what they go without
  runtime_test docker "$1"
  runtime_test podman "$1"
  runtime_test podman "$1" --ordinary
  runtime_test apptainer "$1"
  runtime_test apptainer "$1" --ordinary
}

runtime_test() { # RUNTIME BIN [--ordinary: as an ordinary user]
  local -a test=(tests/deploy/container_test.py --runtime "$1")
  if [[ $1 == apptainer ]]; then test=(tests/deploy/apptainer_test.py); fi
  local name="tools in containers of $1${3:+ without root}" before=$FAILED reason
  if ! reason=$(runtime_answers "$1" 2>&1); then
    say "UNAVAILABLE: $name: $(tail -n 1 <<<"$reason")"
    return 0
  fi
  step "$name" env PYTHONDONTWRITEBYTECODE=1 timeout 300 \
    /usr/bin/python3 "${test[@]}" --bin "$2" "${@:3}"
  if ((FAILED == before)); then PASSED=$((PASSED + 1)); fi
}

runtime_answers() { # RUNTIME; or a reason
  ((EUID == 0)) || { say "the worker of the test must be root"; return 1; }
  install_missing busybox-static >/dev/null || { say "busybox-static could not be installed"; return 1; }
  if [[ $1 == podman ]]; then
    install_missing podman runc catatonit uidmap >/dev/null || { say "podman could not be installed"; return 1; }
  fi
  if [[ $1 == apptainer ]]; then
    command -v apptainer >/dev/null || { say "it is not installed, and Debian 12 has no package of it"; return 1; }
    return 0
  fi
  timeout "$ANSWER_LIMIT_S" "$1" info >/dev/null
}

readonly ANSWER_LIMIT_S=20  # of a daemon that runs
docker_answers() { timeout "$ANSWER_LIMIT_S" docker info >/dev/null 2>&1; }

docker_programs() { # or a reason
  if ! command -v docker >/dev/null || ! command -v dockerd >/dev/null; then
    install_packages docker.io iptables || { say "docker.io could not be installed"; return 1; }
  fi
  command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 ||
    install_packages docker-compose || { say "docker-compose could not be installed"; return 1; }
  ((EUID == 0)) || docker_answers || { say "no dockerd answers, and starting one needs root"; return 1; }
}

readonly DOCKERD_LIMIT_S=60
DOCKERD_PID=
docker_begin() { # a daemon that answers: the host's, or one that docker_end stops
  ! docker_answers || return 0
  dockerd >build/dockerd.log 2>&1 &
  DOCKERD_PID=$!
  trap docker_end EXIT
  local deadline=$((SECONDS + DOCKERD_LIMIT_S))
  until docker_answers; do
    if ((SECONDS > deadline)) || ! kill -0 "$DOCKERD_PID" 2>/dev/null; then return 1; fi
    sleep 0.5
  done
}

docker_end() {
  [[ -n $DOCKERD_PID ]] || return 0
  kill "$DOCKERD_PID" 2>/dev/null || true
  local deadline=$((SECONDS + DOCKERD_LIMIT_S))
  while kill -0 "$DOCKERD_PID" 2>/dev/null; do
    if ((SECONDS > deadline)); then kill -KILL "$DOCKERD_PID"; fi
    sleep 0.2
  done
  wait "$DOCKERD_PID" || true
  DOCKERD_PID=
}

# Of a registry, if one can be reached; else made here, once.
readonly BASE_IMAGE=taskpipe/debian:bookworm-slim
docker_base() {
  ! docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 || return 0
  if timeout 60 docker pull -q debian:bookworm-slim >/dev/null 2>&1; then
    docker tag debian:bookworm-slim "$BASE_IMAGE"
    return
  fi
  debian_root
  tar -C "$DEBIAN_ROOT" --exclude=./.whole -c . |
    docker import -c 'CMD ["bash"]' - "$BASE_IMAGE" >/dev/null
}
