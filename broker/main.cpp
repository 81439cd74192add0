// taskpipe-broker: reads options, and serves, checks or copies.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string_view>
#include <utility>

#include "broker/shell/backup.hpp"
#include "broker/shell/broker_options.hpp"
#include "broker/shell/data_check.hpp"
#include "broker/shell/init_command.hpp"
#include "broker/shell/serve.hpp"

namespace taskpipe::broker {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitStart = 1;
constexpr int kExitDamage = 1;  // of --check

int complain(const Error& error) {
  std::cerr << "taskpipe-broker: " << error.text << '\n';
  return kExitUsage;
}

// --check: the report is the result, so it goes to standard output.
int check_and_report(const BrokerOptions& options) {
  const auto check = check_data(options.data_dir);
  if (!check) return complain(check.error());
  std::cout << (options.json ? to_json(*check) : to_text(*check));
  return check->sound() ? EXIT_SUCCESS : kExitDamage;
}

int back_up_and_report(const BrokerOptions& options) {
  const auto copy = back_up(options.data_dir, options.backup_to);
  if (!copy) {
    const int usage = complain(copy.error());
    return copy.error().code == ErrorCode::invalid ? usage : kExitStart;
  }
  std::cout << to_text(*copy);
  return EXIT_SUCCESS;
}

int run(int argc, const char* const* argv) {
  if (argc > 1 && std::string_view(argv[1]) == "init") {
    return run_init(argc - 1, argv + 1, std::cout, std::cerr);
  }
  BrokerOptions options;
  process::OptionTable table(
      {.program = "taskpipe-broker",
       .config_name = "broker",
       .summary = "Routes tasks to workers, keeps them safe, publishes progress.",
       .version = TASKPIPE_VERSION,
       .epilogue = "taskpipe-broker init DIR makes a cluster folder for --keys: see\n"
                   "'taskpipe-broker init --help'."});
  declare_options(table, options);
  const auto parsed = table.parse(argc, argv);
  if (!parsed) return complain(parsed.error());
  if (parsed->print) {
    std::cout << *parsed->print;
    return EXIT_SUCCESS;
  }
  if (options.check) return check_and_report(options);
  if (!options.backup_to.empty()) return back_up_and_report(options);
  auto warnings = check_binds(options);
  if (!warnings) return complain(warnings.error());
  process::SignalFd signals;  // before any thread exists
  process::Logger logger({"broker", *process::parse_log_level(options.log_level),
                          *process::parse_log_format(options.log_format), options.log_file});
  for (const auto& warning : *warnings) logger.warning(warning);
  try {
    return serve(options, std::move(*warnings), signals, logger);
  } catch (const std::exception& failure) {
    logger.error("cannot start", {{"reason", failure.what()}});
    return kExitStart;
  }
}

}  // namespace
}  // namespace taskpipe::broker

int main(int argc, char** argv) {
  try {
    return taskpipe::broker::run(argc, argv);
  } catch (const std::exception& failure) {
    std::cerr << "taskpipe-broker: " << failure.what() << '\n';
    return EXIT_FAILURE;
  }
}
