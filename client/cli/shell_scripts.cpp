// The completion scripts. None holds a name of a command, an option or a tool.
#include "client/cli/completion.hpp"

namespace taskpipe::cli {
namespace {

constexpr std::string_view kBash =
    R"sh(# taskpipe completion for bash:  source <(taskpipe completion bash)
_taskpipe() {
  local line tab=$'\t' current=${COMP_WORDS[COMP_CWORD]}
  local -a words=("${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      [[ $current == '=' ]] && current=
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    else
      COMPREPLY+=("${line%%"$tab"*}")
    fi
  done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
}
complete -F _taskpipe taskpipe
)sh";

constexpr std::string_view kZsh = R"sh(#compdef taskpipe
# taskpipe completion for zsh:  source <(taskpipe completion zsh)
_taskpipe() {
  local line files
  local -a candidates
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      files=1
    else
      candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    fi
  done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( ${#candidates} )) && _describe -V taskpipe candidates
  [[ -n $files ]] && _files
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
  set -l current (commandline -ct)
  for line in ($before[1] __complete $before[2..-1] "$current" 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path "$current"
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
