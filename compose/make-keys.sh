#!/bin/sh
# The cluster's keys, made once; then each peer's join file into the volume that it alone mounts.
set -eu
umask 077
cluster=/var/lib/taskpipe-broker/cluster
if [ ! -d "$cluster" ]; then
  # Under its name only when it is whole: a start that was interrupted begins anew.
  rm -rf "$cluster.new"
  taskpipe-broker init "$cluster.new" --host broker --user compose >/dev/null
  rm "$cluster.new/broker.conf" # its paths are of before; the broker's options are in its environment
  mv "$cluster.new" "$cluster"
fi
for role in worker client; do
  cp "$cluster/join/$role.join" "/keys/$role/.$role.join"
  mv "/keys/$role/.$role.join" "/keys/$role/$role.join"
done
