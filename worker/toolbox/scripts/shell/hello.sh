#!/usr/bin/env bash
# Says hello and shows what a task finds around it.
#   SIM_NAME    whom to greet     (world)
#   SIM_STEPS   greetings         (5)
#   SIM_PAUSE   seconds between   (0.1)
set -euo pipefail

name=${SIM_NAME:-world}
steps=${SIM_STEPS:-5}
pause=${SIM_PAUSE:-0.1}
if ! [[ $steps =~ ^[1-9][0-9]{0,5}$ ]]; then
  echo "SIM_STEPS=$steps: expected an integer from 1 to 999999" >&2
  exit 2
fi

echo "task ${TASKPIPE_TASK_ID:-(none)} in $PWD"
for ((step = 1; step <= steps; step++)); do
  echo "hello, $name"
  echo "taskpipe-progress $((100 * step / steps)) greeting $step of $steps"
  sleep "$pause"
done
printf 'hello, %s\n' "$name" >greeting.txt
