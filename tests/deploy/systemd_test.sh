#!/usr/bin/env bash
# The units of the Debian packages under a real systemd, which boots in a container of systemd-nspawn.
#
#   systemd_test.sh ROOT PACKAGES     # ROOT, made by debootstrap, stays as it is
#
# Broker and worker as hardened as their units make them: a task with keys, a kill -9 of the broker,
# which systemd starts again and the worker finds, and a stop in order. The container has a network of
# its own, which is nothing but loopback. Exit status 77: no container can be booted here, and why.
set -euo pipefail

readonly BOOT_LIMIT_S=60 STOP_LIMIT_S=60 STEP_LIMIT_S=60
plain=$1 packages=$2
scratch=$(mktemp -d)
root=$scratch/root
container=

die() {
  printf 'systemd test: %s\n' "$*" >&2
  if [[ -n $container ]]; then
    inside journalctl --no-pager --unit taskpipe-broker --unit taskpipe-worker --lines 30 >&2 || true
  fi
  tail -n 20 "$scratch"/*.log >&2 || true
  exit 1
}
unavailable() {
  printf '%s\n' "$*"
  exit 77
}
# The first process of the container is the child of nspawn. `env -i`, since nothing of ours is to be
# inherited.
inside() {
  timeout "$STEP_LIMIT_S" nsenter --target "$(pgrep --parent "$container")" --mount --pid --net --ipc --uts \
    --cgroup env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root "$@"
}
gone() { # within STOP_LIMIT_S
  local deadline=$((SECONDS + STOP_LIMIT_S))
  while kill -0 "$container" 2>/dev/null; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}
finish() {
  trap - EXIT
  if [[ -n $container ]]; then
    inside systemctl poweroff >/dev/null 2>&1 || true
    gone || kill -9 "$(pgrep --parent "$container")" "$container" 2>/dev/null || true
    wait "$container" || true
  fi
  umount "$root/proc" 2>/dev/null || umount --lazy "$root/proc" 2>/dev/null || true
  if mountpoint -q "$root/proc"; then
    printf 'systemd test: %s cannot be unmounted; left\n' "$root/proc" >&2
    return 1
  fi
  rm -rf --one-file-system "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

until_true() { # WHAT COMMAND…, within STEP_LIMIT_S
  local what=$1 deadline=$((SECONDS + STEP_LIMIT_S))
  shift
  until "$@" >"$scratch/until.log" 2>&1; do
    ((SECONDS < deadline)) || die "not within $STEP_LIMIT_S s: $what"
    sleep 0.2
  done
}

mkdir "$root"
cp -a "$plain/." "$root/"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$packages"/taskpipe{,-broker,-worker}_*.deb "$root/tmp/"
mount -t proc proc "$root/proc"
in_root=(chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
  DEBIAN_FRONTEND=noninteractive)
"${in_root[@]}" apt-get -q update >"$scratch/apt.log" 2>&1 || die "apt-get update"
# Not started by their installation: there is no systemd yet.
"${in_root[@]}" sh -c 'apt-get -q -y --no-install-recommends install systemd-sysv dbus /tmp/*.deb' \
  >>"$scratch/apt.log" 2>&1 || die "apt-get install"
umount "$root/proc"

echo "boot"
nspawn=(systemd-nspawn --quiet --register=no --keep-unit --private-network --directory "$root")
said=$("${nspawn[@]}" --pipe true 2>&1 </dev/null) || unavailable "systemd-nspawn starts nothing: $said"
# It must not read what this script reads.
"${nspawn[@]}" --boot --console=pipe </dev/null >"$scratch/boot.log" 2>&1 &
container=$!
booted() {
  local state
  state=$(inside systemctl is-system-running 2>/dev/null) || true
  [[ $state == running || $state == degraded ]]
}
deadline=$((SECONDS + BOOT_LIMIT_S))
until booted; do
  kill -0 "$container" 2>/dev/null || { container=; die "the container ended while it booted"; }
  ((SECONDS < deadline)) || die "no systemd has booted within $BOOT_LIMIT_S s"
  sleep 0.2
done

echo "broker and worker as units, with keys"
cluster=/var/lib/taskpipe-broker/cluster
inside setpriv --reuid taskpipe-broker --regid taskpipe-broker --clear-groups \
  taskpipe-broker init "$cluster" >"$scratch/init.log"
inside install -o taskpipe-worker -g taskpipe-worker -m 0600 "$cluster/join/worker.join" \
  /etc/taskpipe/worker.join
inside install -m 0600 "$cluster/join/client.join" /root/client.join
echo "keys = $cluster" >>"$root/etc/taskpipe/broker.conf"
echo "join = /etc/taskpipe/worker.join" >>"$root/etc/taskpipe/worker.conf"
inside systemctl start taskpipe-broker taskpipe-worker
client=(env TASKPIPE_JOIN=/root/client.join taskpipe)
# Waits for the broker by itself.
inside "${client[@]}" submit shell hello.sh --wait-for-capacity --wait >"$scratch/task.log" 2>&1 ||
  die "a task did not succeed: $(cat "$scratch/task.log")"

echo "kill -9 of the broker"
main_pid() { inside systemctl show --property MainPID --value "taskpipe-$1"; }
before=$(main_pid broker)
inside systemctl kill --signal KILL taskpipe-broker
restarted() {
  local now
  now=$(main_pid broker)
  ((now != 0 && now != before)) && inside "${client[@]}" health
}
until_true "the broker is started again" restarted
inside "${client[@]}" submit shell hello.sh --wait-for-capacity --wait >"$scratch/task.log" 2>&1 ||
  die "no task succeeds after the broker's restart: $(cat "$scratch/task.log")"
(($(inside systemctl show --property NRestarts --value taskpipe-broker) == 1)) ||
  die "the broker was not started again exactly once"
(($(inside systemctl show --property NRestarts --value taskpipe-worker) == 0)) ||
  die "the worker was started again because the broker was"

echo "stop"
inside systemctl stop taskpipe-worker taskpipe-broker
for role in broker worker; do
  state=$(inside systemctl show --property Result --value "taskpipe-$role")
  [[ $state == success ]] || die "taskpipe-$role ended with $state"
done
echo "the units work"
