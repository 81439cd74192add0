// The completion scripts. None holds a name of a command, an option or a tool.
#include "client/cli/completion.hpp"

namespace taskpipe::cli {
namespace {

// bash splits at '=' and ':' as well ("--color", "=", "al"): what stands together is put together
// again, and an answer loses what stands before the piece that bash replaces. Without an answer
// of ours its own completion of files takes over, which knows quotes, '~' and blanks.
constexpr std::string_view kBash =
    R"sh(# taskpipe completion for bash:  source <(taskpipe completion bash)
_taskpipe() {
  local line i rest=${COMP_LINE:0:COMP_POINT} piece=${COMP_WORDS[COMP_CWORD]} before
  local program=${COMP_WORDS[0]/#\~\//$HOME/}
  local -a words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    if ((i == 0)) || [[ -z $rest || $rest == [[:blank:]]* ]]; then
      words+=("")
      rest=${rest#"${rest%%[![:blank:]]*}"}
    fi
    words[${#words[@]} - 1]+=${COMP_WORDS[i]}
    rest=${rest#"${COMP_WORDS[i]}"}
  done
  words[${#words[@]} - 1]=${words[${#words[@]} - 1]#[\"\']}
  [[ $piece == [=:] ]] && piece=
  piece=${piece#[\"\']}
  before=${words[${#words[@]} - 1]%"$piece"}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o bashdefault -o default
    else
      line=${line%%$'\t'*}
      COMPREPLY+=("${line#"$before"}")
    fi
  done < <("$program" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _taskpipe taskpipe
)sh";

constexpr std::string_view kZsh = R"sh(#compdef taskpipe
# taskpipe completion for zsh:  source <(taskpipe completion zsh)
_taskpipe() {
  local line files program=${~${(Q)words[1]}}
  local -a candidates
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      files=1
    else
      candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    fi
  done < <("$program" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
  if [[ -n $files ]]; then
    compset -P '--[^=]##='
    _files
  elif (( ${#candidates} )); then
    _describe -V taskpipe candidates
  fi
}
if [[ ${funcstack[1]} == _taskpipe ]]; then
  _taskpipe "$@"
else
  compdef _taskpipe taskpipe
fi
)sh";

constexpr std::string_view kFish =
    R"sh(# taskpipe completion for fish:  taskpipe completion fish | source
function __taskpipe_complete
  set -l before (commandline -opc)
  set -l typed (commandline -ct)
  set -l current (string unescape -- $typed; or string replace -r '^["\']' '' -- $typed)
  set -l program (string replace -r '^~/' "$HOME/" -- $before[1])
  for line in ($program __complete $before[2..-1] "$current" 2>/dev/null)
    if test "$line" = ":files"
      set -l option (string match -r -- '^--[^=]+=' $current)
      for path in (__fish_complete_path (string replace -r -- '^--[^=]+=' '' $current))
        echo "$option"$path
      end
    else
      echo $line
    end
  end
end
complete -c taskpipe -f -a '(__taskpipe_complete)'
)sh";

}  // namespace

const std::vector<std::string>& known_shells() {
  static const std::vector<std::string> shells = {"bash", "zsh", "fish"};
  return shells;
}

std::optional<std::string_view> shell_script(std::string_view shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  if (shell == "fish") return kFish;
  return std::nullopt;
}

}  // namespace taskpipe::cli
