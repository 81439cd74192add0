#include "client/cli/command_table.hpp"

#include <algorithm>

#include "client/cli/commands/commands.hpp"

namespace taskpipe::cli {
namespace {

constexpr const char* kSubmit = "Submit";
constexpr const char* kWatch = "Watch and act";
constexpr const char* kCluster = "The cluster";
constexpr const char* kProgram = "This program";

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<Command> commands = {
      {kSubmit, "submit", "TOOL [SCRIPT]", "Submit a task and print its id.",
       "  taskpipe submit lammps example.lammps -p steps=1000\n"
       "  taskpipe submit fenicsx poisson.py -p mesh_size=64 --cpus 2 --follow\n"
       "  taskpipe submit fenicsx --script mine.py --params params.json --timeout 10m\n"
       "  id=$(taskpipe submit lammps example.lammps) && taskpipe wait \"$id\"\n",
       &run_submit},
      {kSubmit, "workflow run", "FILE", "Run a workflow from a TOML or JSON file to its end.",
       "  taskpipe workflow run flow.toml\n"
       "  taskpipe workflow run flow.toml --json | jq 'select(.type == \"result\")'\n",
       &run_workflow_run},
      {kSubmit, "workflow submit", "FILE", "Submit such a workflow and print its id.",
       "  taskpipe workflow submit flow.json --follow\n"
       "  taskpipe result --workflow \"$(taskpipe workflow submit flow.json)\"\n",
       &run_workflow_submit},
      {kSubmit, "sweep", "TOOL [SCRIPT]", "Submit a task for every combination of parameters.",
       "  taskpipe sweep lammps example.lammps -p temperature=0.7,0.8,0.9 -p seed=1..5 --follow\n"
       "  taskpipe sweep fenicsx poisson.py -p mesh_size=16,32,64 --dry-run\n",
       &run_sweep},
      {kWatch, "workflow status", "WORKFLOW", "Show how far a workflow is, and its tasks.",
       "  taskpipe workflow status 019a3f0c55d0b1a2c3d4e5f600000000\n", &run_workflow_status},
      {kWatch, "wait", "ID...", "Wait until tasks have ended, and print how.",
       "  taskpipe wait --any 019a3f0c 019a3f0d --timeout 5m\n", &run_wait},
      {kWatch, "monitor", "ID...", "Show the progress of tasks until they have ended.",
       "  taskpipe monitor --workflow 019a3f0c55d0b1a2c3d4e5f600000000\n", &run_monitor},
      {kWatch, "status", "ID...", "Show the state of tasks.", "", &run_status},
      {kWatch, "list", "", "List tasks, newest first.",
       "  taskpipe list --state failed --tool lammps --limit 20\n", &run_list},
      {kWatch, "logs", "ID", "Print what a task writes.",
       "  taskpipe logs --follow --stderr 019a3f0c\n", &run_logs},
      {kWatch, "result", "ID...", "Show how tasks ended: exit code, metrics, artifacts, output.",
       "  taskpipe result --json 019a3f0c | jq -r '.artifacts[]'\n", &run_result},
      {kWatch, "artifacts list", "ID", "List the files that an ended task left.",
       "  taskpipe artifacts list 019a3f0c\n"
       "  taskpipe artifacts list 019a3f0c --json | jq -r '.artifacts[].sha256'\n",
       &run_artifacts_list},
      {kWatch, "artifacts get", "ID [PATTERN...]", "Fetch such files; all of them, or some.",
       "  taskpipe artifacts get 019a3f0c --to results\n"
       "  taskpipe artifacts get 019a3f0c '*.dump' log.lammps --wait\n",
       &run_artifacts_get},
      {kWatch, "events", "[ID...]", "Print what happens, as it happens.",
       "  taskpipe events --topic task.lammps --json | jq -r '.task_id + \" \" + .state'\n"
       "  taskpipe events --topic worker --count 1 --timeout 1h\n"
       "  taskpipe events --since 0 --follow --json  # every change, also those before\n",
       &run_events},
      {kWatch, "cancel", "ID...", "Cancel tasks; running ones are stopped.",
       "  taskpipe cancel --grace 10s 019a3f0c\n", &run_cancel},
      {kWatch, "dead list", "", "List the tasks that have failed for good, newest first.",
       "  taskpipe dead list --tool lammps --state timeout\n", &run_dead_list},
      {kWatch, "dead show", "ID", "Show a task with every attempt at it.",
       "  taskpipe dead show 019a3f0c\n"
       "  taskpipe dead show 019a3f0c --json | jq '.attempts[].reason'\n",
       &run_dead_show},
      {kWatch, "dead resubmit", "[ID...]", "Submit such tasks again, as new ones.",
       "  taskpipe dead resubmit 019a3f0c --follow\n"
       "  taskpipe dead resubmit --all --tool lammps\n",
       &run_dead_resubmit},
      {kCluster, "top", "", "Show queue, workers and tasks on the whole screen, live.",
       "  taskpipe top --broker sim.example.org\n", &run_top},
      {kCluster, "tools", "", "List the tools that workers offer.", "", &run_tools},
      {kCluster, "workers", "", "List the workers.", "", &run_workers},
      {kCluster, "health", "", "Tell whether the broker is well; exit code 1 if it is not.", "",
       &run_health},
      {kCluster, "keygen", "NAME", "Make a key, and the join file that its owner needs.",
       "  taskpipe keygen node7 --role worker --keys /etc/taskpipe/cluster\n"
       "  taskpipe keygen ann-laptop --owner ann --keys /etc/taskpipe/cluster --out ann.join\n"
       "  taskpipe keygen ann-laptop   # her own: ann-laptop.key goes to the administrator\n",
       &run_keygen},
      {kProgram, "completion", "bash|zsh|fish", "Print the script that completes its commands.",
       "  source <(taskpipe completion bash)\n"
       "  taskpipe completion zsh > ~/.zfunc/_taskpipe\n"
       "  taskpipe completion fish > ~/.config/fish/completions/taskpipe.fish\n",
       &run_completion},
      {kProgram, "man", "[COMMAND]", "Print a manual page, of a command or of all.",
       "  taskpipe man submit | man -l -\n"
       "  taskpipe man > taskpipe.1\n",
       &run_man},
      {kProgram, "version", "", "Show the version.", "", &run_version},
      {kProgram, "help", "[COMMAND]", "Show an overview, or all about a command.",
       "  taskpipe help workflow run\n", &run_help}};
  return commands;
}

FoundCommand find_command(std::span<const std::string> words) {
  if (words.empty()) return {};
  for (const Command& command : all_commands()) {
    const auto space = command.name.find(' ');
    if (words[0] != command.name.substr(0, space)) continue;
    if (space == std::string::npos) return {&command, 1};
    if (words.size() > 1 && words[1] == command.name.substr(space + 1)) return {&command, 2};
  }
  return {};
}

std::size_t leading_options(std::span<const std::string> words) {
  if (words.empty() || !words.front().starts_with('-')) return 0;
  const CommandForm form = form_of(all_commands().front());
  const auto takes_next = [&form](const std::string& word) {
    return std::any_of(form.options.begin(), form.options.end(), [&](const auto& row) {
      if (row.command_line_only || row.value_name.empty()) return false;
      const auto comma = row.name.find(',');
      return word == "--" + row.long_name() ||
             (comma != std::string::npos && word == "-" + row.name.substr(comma + 1));
    });
  };
  std::size_t at = 0;
  while (at < words.size() && words[at].starts_with('-')) at += takes_next(words[at]) ? 2 : 1;
  return std::min(at, words.size());
}

std::vector<std::string> second_words(const std::string& word) {
  std::vector<std::string> seconds;
  for (const Command& command : all_commands()) {
    if (command.name.starts_with(word + " "))
      seconds.push_back(command.name.substr(word.size() + 1));
  }
  return seconds;
}

}  // namespace taskpipe::cli
