#!/usr/bin/env bash
# The Debian packages in a plain Debian: installed with what they need, used, removed, purged.
#
#   package_test.sh ROOT PACKAGES     # ROOT, made by debootstrap, stays as it is
#
# Runs a broker and a worker as their users, with keys, a task by the command line and one from
# Python, and a program that is compiled against the library.
set -euo pipefail

plain=$1 packages=$2
scratch=$(mktemp -d)
root=$scratch/root
pids=()

die() {
  printf 'package test: %s\n' "$*" >&2
  tail -n 20 "$scratch"/*.log >&2 || true
  exit 1
}
in_root=(chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
  DEBIAN_FRONTEND=noninteractive)
inside() { "${in_root[@]}" "$@"; }
stop_programs() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" || true; done
  pids=()
}
finish() {
  trap - EXIT
  stop_programs
  local folder
  for folder in proc dev; do
    umount -R "$root/$folder" 2>/dev/null || umount -l "$root/$folder" 2>/dev/null || true
    if mountpoint -q "$root/$folder"; then  # never to be deleted: it is the host's
      printf 'package test: %s cannot be unmounted; left\n' "$root/$folder" >&2
      return 1
    fi
  done
  rm -rf --one-file-system "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# A copy; links cannot serve, since dpkg writes into files.
mkdir "$root"
cp -a "$plain/." "$root/"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$packages"/*.deb "$root/tmp/"

echo "install"
inside apt-get -q update >"$scratch/apt.log" 2>&1 || die "apt-get update"
inside sh -c 'apt-get -q -y --no-install-recommends install /tmp/*.deb g++ pkg-config' \
  >>"$scratch/apt.log" 2>&1 || die "apt-get install"
for user in taskpipe-broker taskpipe-worker; do
  [[ $(inside stat -c "%U %a" "/var/lib/$user") == "$user 700" ]] || die "/var/lib/$user is not private to it"
done
for file in /etc/taskpipe/broker.conf /etc/taskpipe/worker.conf \
  /lib/systemd/system/taskpipe-broker.service /lib/systemd/system/taskpipe-worker.service \
  /usr/share/man/man1/taskpipe.1.gz /usr/share/bash-completion/completions/taskpipe; do
  [[ -s $root$file ]] || die "$file is not there"
done
[[ -z $(inside dpkg -V taskpipe taskpipe-broker taskpipe-worker libtaskpipe-dev python3-taskpipe) ]] ||
  die "dpkg -V finds differences"

echo "a broker and a worker, with keys"
# Commands, not functions: what they end in is the process that is waited for and killed.
as_broker=("${in_root[@]}" HOME=/var/lib/taskpipe-broker
  setpriv --reuid taskpipe-broker --regid taskpipe-broker --clear-groups)
as_worker=("${in_root[@]}" HOME=/var/lib/taskpipe-worker
  setpriv --reuid taskpipe-worker --regid taskpipe-worker --clear-groups)
base=$((20000 + RANDOM % 10000))
port() { echo "tcp://127.0.0.1:$((base + $1))"; }
cluster=/var/lib/taskpipe-broker/cluster
"${as_broker[@]}" taskpipe-broker init "$cluster" >"$scratch/init.log"
inside install -o taskpipe-worker -g taskpipe-worker -m 0600 "$cluster/join/worker.join" \
  /etc/taskpipe/worker.join
inside install -m 0600 "$cluster/join/client.join" /root/client.join
"${as_broker[@]}" taskpipe-broker --config /etc/taskpipe/broker.conf --keys "$cluster" \
  --client-bind "$(port 0)" --worker-bind "$(port 1)" --event-bind "$(port 2)" \
  --bulk-bind "$(port 3)" >"$scratch/broker.log" 2>&1 &
pids+=($!)
"${as_worker[@]}" taskpipe-worker --config /etc/taskpipe/worker.conf --join /etc/taskpipe/worker.join \
  --broker "$(port 1)" >"$scratch/worker.log" 2>&1 &
pids+=($!)
client=(env "TASKPIPE_BROKER=$(port 0)" TASKPIPE_JOIN=/root/client.join)

echo "a task by the command line, one from Python, one from C++"
said=$(inside "${client[@]}" taskpipe submit python pi.py -p samples=1000 --wait-for-capacity --wait) ||
  die "a task did not succeed: $said"
inside "${client[@]}" python3 -c '
import importlib.metadata, taskpipe
assert importlib.metadata.version("taskpipe") == taskpipe.__version__
pipeline = taskpipe.TaskPipeline()
task = pipeline.submit_task("shell", "hello.sh", {})
result = pipeline.wait_for_task(task, timeout=60)
assert result["status"].lower() == "success", result' 2>"$scratch/python.log" || die "Python"
cp "$(dirname "$0")/../integration/install/consumer/consumer.cpp" "$root/tmp/"
# shellcheck disable=SC2016
inside sh -c 'g++ -Wall -Werror /tmp/consumer.cpp $(pkg-config --cflags --libs taskpipe) -o /tmp/consumer' \
  >"$scratch/compiler.log" 2>&1 || die "a program does not compile against libtaskpipe-dev"
said=$(inside "${client[@]}" /tmp/consumer) || die "the program failed: $said"
[[ $said == success* ]] || die "the program said: $said"
stop_programs

echo "install again, remove, purge"
inside sh -c 'apt-get -q -y --no-install-recommends reinstall /tmp/*.deb' >>"$scratch/apt.log" 2>&1 ||
  die "reinstall"
[[ -d $root/var/lib/taskpipe-broker/data/journal ]] || die "installing again has lost the journal"
ours=(taskpipe taskpipe-broker taskpipe-worker libtaskpipe-dev python3-taskpipe)
inside apt-get -q -y remove "${ours[@]}" >>"$scratch/apt.log" 2>&1 || die "remove"
[[ -d $root/var/lib/taskpipe-broker/data/journal ]] || die "removing has lost the journal"
[[ -f $root/etc/taskpipe/broker.conf ]] || die "removing has lost the configuration"
inside dpkg --purge "${ours[@]}" >>"$scratch/apt.log" 2>&1 || die "purge"
left=$(inside sh -c 'find / -xdev -path /tmp -prune -o -path /root -prune -o -name "*taskpipe*" -print;
  getent passwd taskpipe-broker taskpipe-worker; getent group taskpipe-broker taskpipe-worker' || true)
[[ -z $left ]] || die "purging has left: $left"
echo "nothing is left"
