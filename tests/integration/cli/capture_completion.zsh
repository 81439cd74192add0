# zsh -f capture_completion.zsh LINE: what a real, interactive zsh does at TAB behind LINE.
# Prints "candidate TEXT" for each that it would insert, and "line TEXT", its line afterwards.
# _taskpipe is loaded by `taskpipe completion zsh`; $OUT is a file for the answers.
zmodload zsh/zpty
zpty shell zsh -f -i

# Whatever completes, at last it calls compadd: that is where candidates are seen.
zpty -w shell 'PROMPT=; unsetopt beep; autoload -U compinit; compinit -u -D'
zpty -w shell 'source <(taskpipe completion zsh)'
zpty -w shell 'compadd() {
  if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
    local -a hits; builtin compadd -A hits "$@"
    (( ${#hits} )) && print -rl -- "candidate "${^hits} >> $OUT
  fi
  builtin compadd "$@"
}'
# The echo of what is typed has quotes within the words that are waited for.
zpty -w shell 'show-line() { print -r -- "line $BUFFER" >> $OUT; zle kill-whole-line; print done""-now; }'
zpty -w shell 'zle -N show-line; bindkey "^I" complete-word; bindkey "^K" show-line; print ready""-now'

await() { local text; while zpty -r shell text; do [[ $text == *$1* ]] && return; done; return 1 }
await ready-now || exit 1
zpty -w -n shell "$1"$'\t\v'
await done-now || exit 1
zpty -d shell
cat "$OUT"
