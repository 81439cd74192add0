#!/bin/sh
# write_manual.sh PROGRAM FOLDER: manual pages and completion, as the program tells them.
set -eu
program=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder/man"
"$program" man | gzip -9n >"$folder/man/taskpipe.1.gz"
"$program" completion bash >"$folder/taskpipe.bash"
"$program" completion zsh >"$folder/_taskpipe"
"$program" completion fish >"$folder/taskpipe.fish"
: >"$folder/done"
