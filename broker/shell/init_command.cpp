#include "broker/shell/init_command.hpp"

#include <cstdlib>
#include <ostream>
#include <string>

#include "common/process/identity.hpp"
#include "common/process/options.hpp"
#include "common/security/cluster_folder.hpp"

namespace taskpipe::broker {
namespace {

constexpr int kExitUsage = 2;

void tell_next_steps(std::ostream& out, const std::string& folder) {
  out << "\nStart the broker:      taskpipe-broker --config " << folder << "/broker.conf\n"
      << "On a worker's host:    taskpipe-worker --join worker.join\n"
      << "Whoever uses it:       taskpipe --join client.join health\n"
      << "More keys:             taskpipe keygen NAME --role ROLE --keys " << folder << "\n\n"
      << "Hand the join files over by a way that others cannot read (scp), and remove them here.\n";
}

}  // namespace

int run_init(int argc, const char* const* argv, std::ostream& out, std::ostream& complaints) {
  security::ClusterPlan plan;
  plan.user = process::user_name();
  process::OptionTable table(
      {.program = "taskpipe-broker init",
       .config_name = "broker-init",
       .summary = "Makes a cluster folder: the broker's keys, an admin's, and join files.",
       .usage = "DIR [options]",
       .version = TASKPIPE_VERSION});
  table.allow_positional();
  table.command_line_only(true);
  table.group("Options");
  table.text("host", plan.host, "NAME",
             "By which other hosts reach the broker; without it only this host does.");
  table.text("user", plan.user, "NAME", "Whose the client's key is.");
  const auto parsed = table.parse(argc, argv);
  if (!parsed) {
    complaints << "taskpipe-broker init: " << parsed.error().text << '\n';
    return kExitUsage;
  }
  if (parsed->print) {
    out << *parsed->print;
    return EXIT_SUCCESS;
  }
  if (parsed->positional.size() != 1) {
    complaints << "taskpipe-broker init: name one folder, which is to be made\n";
    return kExitUsage;
  }
  plan.folder = parsed->positional.front();
  const auto written = security::make_cluster(plan);
  if (!written) {
    complaints << "taskpipe-broker init: " << written.error().text << '\n';
    return EXIT_FAILURE;
  }
  for (const auto& file : *written) out << file.string() << '\n';
  tell_next_steps(out, parsed->positional.front());
  return EXIT_SUCCESS;
}

}  // namespace taskpipe::broker
