// taskpipe-broker: reads options, opens journal and history, wires the parts, runs the loop.
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "broker/core/broker_core.hpp"
#include "broker/history/sqlite_history.hpp"
#include "broker/journal/posix_disk.hpp"
#include "broker/journal/segment_journal.hpp"
#include "broker/shell/backup.hpp"
#include "broker/shell/broker_loop.hpp"
#include "broker/shell/broker_options.hpp"
#include "broker/shell/data_check.hpp"
#include "common/process/clock.hpp"
#include "common/process/identity.hpp"

namespace taskpipe::broker {
namespace {

constexpr int kExitUsage = 2;
constexpr int kExitStart = 1;
constexpr int kExitDamage = 1;  // of --check

[[noreturn]] void refuse_start(const std::string& why) { throw std::runtime_error(why); }

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    refuse_start("cannot make --data-dir " + path + ": " + error.message() +
                 "; choose a folder that this user may write");
  }
}

SegmentLogOptions journal_options(const BrokerOptions& options) {
  SegmentLogOptions journal;
  journal.folder = options.data_dir;
  journal.max_bytes = options.journal_max_bytes;
  if (options.journal_segment_bytes != 0) journal.segment_bytes = options.journal_segment_bytes;
  if (options.durability == "os") journal.durability = Durability::os;
  if (options.durability == "none") journal.durability = Durability::none;
  return journal;
}

void bind_or_refuse(const std::string& option, const tl::expected<void, Error>& bound) {
  if (!bound) refuse_start(option + ": " + bound.error().text);
}

int serve(const BrokerOptions& options, std::vector<std::string> warnings,
          process::SignalFd& signals, process::Logger& logger) {
  process::raise_open_file_limit();
  make_folder(options.data_dir);
  const auto uuid =
      process::load_or_create_id<BrokerUuid>(std::filesystem::path(options.data_dir) / "broker.id");

  process::Mailbox<LoopNews> news;
  net::Context context;
  PeerPort client_port(context, Port::client);
  PeerPort worker_port(context, Port::worker);
  EventPort event_port(context);

  BrokerConfig config;
  config.heartbeat_ms = static_cast<std::uint32_t>(options.heartbeat.count());
  config.lease_ms = static_cast<std::uint32_t>(options.lease.count());
  config.version = TASKPIPE_VERSION;
  config.warnings = std::move(warnings);
  // Bound before the journal is read so that a second broker fails at once; nothing is received
  // from these sockets before the epoch is durable.
  bind_or_refuse("--event-bind", event_port.bind(options.event_bind));
  config.event_endpoint = event_port.endpoint();  // clients replace a wildcard host by ours

  const Now started = process::read_clock();
  BrokerCore core(std::move(config));
  // First, so that a release which is too old for it has changed nothing when it refuses.
  auto history = std::make_unique<SqliteHistory>(history_path(options.data_dir));
  PosixDisk disk;
  auto journal =
      SegmentJournal::open(disk, journal_options(options),
                           [&core](Lsn lsn, Record&& record) { core.replay(record, lsn); },
                           {[&news](Lsn) { news.post(DurableAdvanced{}); },
                            [&news](const Error& error) { news.post(StorageFailed{error.text}); }});
  if (!journal) refuse_start(journal.error().text);
  const RecoveryReport& recovery = (*journal)->recovery();

  const Lsn watermark = history->watermark();
  if (const auto why = history_is_ahead(options.data_dir, watermark, recovery.last)) {
    refuse_start(*why);
  }
  Effects effects;
  const Now now = process::read_clock();
  core.start(recovery.highest_epoch.next(), uuid, {watermark, history->last_arrival()}, now,
             effects);
  if (recovery.cut_bytes > 0) {
    logger.warning("cut the torn tail of the journal; nothing acknowledged was in it",
                   {{"records", std::to_string(recovery.cut_records)},
                    {"bytes", std::to_string(recovery.cut_bytes)}});
  }
  logger.info("recovered",
              {{"records", std::to_string(recovery.records)},
               {"tasks", std::to_string(core.tasks_held())},
               {"epoch", std::to_string(core.epoch().value())},
               {"ms", std::to_string((now.monotonic - started.monotonic).count() / 1'000'000)}});

  HistoryThread history_thread(std::move(history), [&news](std::string reason) {
    news.post(StorageFailed{"history: " + std::move(reason)});
  });
  BrokerLoop loop({core, **journal, history_thread, client_port, worker_port, event_port, signals,
                   news, logger});
  if (!loop.begin(std::move(effects))) return kExitStart;
  bind_or_refuse("--worker-bind", worker_port.bind(options.worker_bind));
  bind_or_refuse("--client-bind", client_port.bind(options.client_bind));
  logger.info("listening", {{"clients", client_port.endpoint()},
                            {"workers", worker_port.endpoint()},
                            {"events", event_port.endpoint()},
                            {"data", options.data_dir},
                            {"durability", options.durability}});
  const int status = loop.run();
  logger.info("stopped");
  return status;
}

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
  BrokerOptions options;
  process::OptionTable table(
      {.program = "taskpipe-broker",
       .config_name = "broker",
       .summary = "Routes tasks to workers, keeps them safe, publishes progress.",
       .version = TASKPIPE_VERSION});
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
