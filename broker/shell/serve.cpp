#include "broker/shell/serve.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include "broker/core/broker_core.hpp"
#include "broker/history/schema.hpp"
#include "broker/history/sqlite_history.hpp"
#include "broker/journal/chain_reader.hpp"
#include "broker/journal/posix_disk.hpp"
#include "broker/journal/segment_journal.hpp"
#include "broker/shell/broker_loop.hpp"
#include "broker/shell/data_check.hpp"
#include "broker/shell/frozen_journal.hpp"
#include "common/model/limits.hpp"
#include "common/process/clock.hpp"
#include "common/process/host_memory.hpp"
#include "common/process/identity.hpp"
#include "common/process/random.hpp"

namespace taskpipe::broker {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_start(const std::string& why) { throw std::runtime_error(why); }

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
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

std::uint64_t memory_limit(const BrokerOptions& options) {
  const std::uint64_t wanted = options.memory_limit_bytes != 0
                                   ? options.memory_limit_bytes
                                   : process::usable_memory_bytes() / limits::kMemoryShare;
  return std::max(wanted, limits::kMinMemoryLimitBytes);
}

BrokerConfig core_config(const BrokerOptions& options, std::vector<std::string> warnings) {
  BrokerConfig config;
  config.heartbeat_ms = static_cast<std::uint32_t>(options.heartbeat.count());
  config.lease_ms = static_cast<std::uint32_t>(options.lease.count());
  config.memory_limit_bytes = memory_limit(options);
  config.event_retention_bytes = options.event_retention_bytes;
  config.version = TASKPIPE_VERSION;
  config.keys = !options.keys.empty();
  config.warnings = std::move(warnings);
  return config;
}

void bind_or_refuse(const std::string& option, const tl::expected<void, Error>& bound) {
  if (!bound) refuse_start(option + ": " + bound.error().text);
}

// What the storage's threads tell the loop; remembers the first failure.
class StorageNews {
 public:
  void failed(std::string reason) {
    {
      const std::lock_guard lock(mutex_);
      if (!first_) first_ = reason;
    }
    news_.post(StorageFailed{std::move(reason)});
  }
  // It is known and dealt with. Revoked keys stay: the next loop has to hear of them.
  void forget_failure() {
    std::vector<LoopNews> all;
    news_.take(all);
    for (LoopNews& item : all) {
      if (!std::holds_alternative<StorageFailed>(item)) news_.post(std::move(item));
    }
  }
  void keys_revoked(KeyChange change) { news_.post(KeysRevoked{std::move(change)}); }
  void durable_advanced() { news_.post(DurableAdvanced{}); }
  [[nodiscard]] std::string first_failure() {
    const std::lock_guard lock(mutex_);
    return first_.value_or("");
  }
  [[nodiscard]] process::Mailbox<LoopNews>& mailbox() { return news_; }

 private:
  process::Mailbox<LoopNews> news_;
  std::mutex mutex_;
  std::optional<std::string> first_;
};

int io_threads_of(const BrokerOptions& options) {
  if (options.io_threads != 0) return static_cast<int>(options.io_threads);
  return options.keys.empty() ? 1 : 2;
}

// Of a broker with keys; both null without.
struct Guards {
  std::unique_ptr<AuditLog> audit;
  std::unique_ptr<Authenticator> authenticator;
};

Guards make_guards(const BrokerOptions& options, net::Context& context, StorageNews& news,
                   process::Logger& logger) {
  Guards guards;
  if (options.keys.empty()) return guards;
  const std::string file = options.audit_log.empty()
                               ? (fs::path(options.data_dir) / "audit.log").string()
                               : options.audit_log;
  guards.audit = std::make_unique<AuditLog>(file, logger);
  guards.authenticator = std::make_unique<Authenticator>(
      context, options.keys, *guards.audit, logger,
      [&news](KeyChange change) { news.keys_revoked(std::move(change)); });
  return guards;
}

class Serving {
 public:
  Serving(const BrokerOptions& options, BrokerConfig config, process::SignalFd& signals,
          process::Logger& logger)
      : options_(options),
        config_(std::move(config)),
        signals_(signals),
        logger_(logger),
        context_(io_threads_of(options)),
        guards_(make_guards(options, context_, news_, logger)) {}

  int run();

 private:
  // The exit code, or why nothing could be written; the folder is not in use any more then.
  tl::expected<int, std::string> serve_all();
  // For the reason why nothing can be written, which is thrown if nothing can be read either.
  int serve_reads(const std::string& reason);

  [[nodiscard]] std::unique_ptr<SqliteHistory> open_history(SqliteAccess access) const;
  [[nodiscard]] std::function<void(std::string)> history_failed();  // any thread
  void tell_recovery(const RecoveryReport& recovery, const BrokerCore& core, const Now& started);
  void tell_room(const std::optional<std::string>& full);  // any thread
  int run_loop(BrokerLoop& loop, const char* serves);

  const BrokerOptions& options_;
  BrokerConfig config_;
  process::SignalFd& signals_;
  process::Logger& logger_;
  StorageNews news_;
  net::Context context_;
  Guards guards_;  // before any socket is bound
  PeerPort client_port_{context_, Port::client, guards_.authenticator.get()};
  PeerPort worker_port_{context_, Port::worker, guards_.authenticator.get()};
  EventPort event_port_{context_, guards_.authenticator.get()};
  BulkPort bulk_port_{context_, guards_.authenticator.get(), logger_};
};

int Serving::run() {
  // Bound before the journal is read so that a second broker fails at once; nothing is received
  // from these sockets before the epoch is durable.
  bind_or_refuse("--event-bind", event_port_.bind(options_.event_bind));
  bind_or_refuse("--bulk-bind", bulk_port_.bind(options_.bulk_bind));
  config_.event_endpoint = event_port_.endpoint();  // clients replace a wildcard host by ours
  config_.bulk_endpoint = bulk_port_.endpoint();
  config_.token_secret = {process::random_u64(), process::random_u64()};
  const auto status = serve_all();
  return status ? *status : serve_reads(status.error());
}

tl::expected<int, std::string> Serving::serve_all() {
  const Now started = process::read_clock();
  StorageNews& news = news_;
  BrokerCore core(config_);
  PosixDisk disk;
  // The one that reads goes first: only the writer can clear SQLite's log away.
  std::unique_ptr<SqliteHistory> history;
  std::unique_ptr<SqliteHistory> history_beside;
  BrokerUuid uuid;
  try {
    uuid = process::load_or_create_id<BrokerUuid>(fs::path(options_.data_dir) / "broker.id");
    // Before the journal, so that a release which is too old for it has changed nothing when it
    // refuses.
    history = open_history(SqliteAccess::own);
    history_beside = open_history(SqliteAccess::read_beside);
  } catch (const NewerHistory&) {
    throw;
  } catch (const std::exception& failure) {
    return tl::unexpected(std::string(failure.what()));
  }
  auto journal =
      SegmentJournal::open(disk, journal_options(options_),
                           [&core](Lsn lsn, Record&& record) { core.replay(record, lsn); },
                           {[&news](Lsn) { news.durable_advanced(); },
                            [&news](const Error& error) { news.failed(error.text); }});
  if (!journal && journal.error().code != ErrorCode::storage) refuse_start(journal.error().text);
  if (!journal) return tl::unexpected(journal.error().text);
  const RecoveryReport& recovery = (*journal)->recovery();
  const HistoryPosition position{history->watermark(), history->last_arrival()};
  if (const auto why = history_is_ahead(options_.data_dir, position.watermark, recovery.last)) {
    refuse_start(*why);
  }
  Effects effects;
  core.start(recovery.highest_epoch.next(), uuid, position, process::read_clock(), effects);
  tell_recovery(recovery, core, started);

  HistoryAnswers answers;
  HistoryWriter writer(
      std::move(history), answers,
      {history_failed(), [this](const std::optional<std::string>& full) { tell_room(full); }});
  HistoryReader reader(std::move(history_beside), answers, history_failed());  // goes first, too
  BrokerLoop loop({core, **journal, answers, reader, &writer, client_port_, worker_port_,
                   event_port_, bulk_port_, signals_, news.mailbox(), logger_,
                   guards_.authenticator.get(), guards_.audit.get()});
  if (!loop.begin(std::move(effects))) return tl::unexpected(news.first_failure());
  bind_or_refuse("--worker-bind", worker_port_.bind(options_.worker_bind));
  BlobStoreOptions store;
  store.data_dir = options_.data_dir;
  store.quota_bytes = options_.artifact_quota_bytes;
  store.retention = options_.artifact_retention;
  bulk_port_.start(std::move(store));
  return run_loop(loop, "all");
}

int Serving::serve_reads(const std::string& reason) {
  const Now started = process::read_clock();
  // Nothing happens that could be published. The store writes when it is read: times of use, and
  // what its retention removes. Clients are told of no bulk port; the event port's address stays,
  // for it will be there again.
  event_port_.close();
  bulk_port_.close();
  config_.bulk_endpoint.clear();
  BrokerCore core(config_);
  PosixDisk disk;
  SegmentFolder folder(disk, options_.data_dir);
  const auto lock = folder.lock_for_reading();
  if (!lock || !folder.look()) refuse_start(reason);
  const auto chain =
      read_chain(folder, [&core](Lsn lsn, Record&& record) { core.replay(record, lsn); });
  if (!chain || chain->segments.empty()) refuse_start(reason);
  std::unique_ptr<SqliteHistory> history;
  try {
    history = open_history(SqliteAccess::read_alone);
  } catch (const std::exception&) {
    refuse_start(reason);
  }
  const HistoryPosition position{history->watermark(), history->last_arrival()};
  if (const auto why =
          history_is_ahead(options_.data_dir, position.watermark, chain->report.last)) {
    refuse_start(*why);
  }
  Effects effects;
  core.start_read_only("the broker serves reads only: " + reason + "; then start it again",
                       position, process::read_clock(), effects);
  logger_.error("the data folder cannot be written; serving reads only, without workers",
                {{"reason", reason},
                 {"remedy", "free space, or make " + options_.data_dir +
                                " writable for this user, then start taskpipe-broker again"}});
  tell_recovery(chain->report, core, started);

  FrozenJournal journal(chain->report.last);
  news_.forget_failure();
  HistoryAnswers answers;
  HistoryReader reader(std::move(history), answers, history_failed());
  BrokerLoop loop({core, journal, answers, reader, nullptr, client_port_, worker_port_, event_port_,
                   bulk_port_, signals_, news_.mailbox(), logger_, guards_.authenticator.get(),
                   guards_.audit.get()});
  if (!loop.begin(std::move(effects))) refuse_start(reason);
  return run_loop(loop, "reads");
}

std::unique_ptr<SqliteHistory> Serving::open_history(SqliteAccess access) const {
  return std::make_unique<SqliteHistory>(history_path(options_.data_dir),
                                         SqliteHistoryOptions{.access = access});
}

std::function<void(std::string)> Serving::history_failed() {
  return [this](const std::string& reason) { news_.failed("history: " + reason); };
}

void Serving::tell_recovery(const RecoveryReport& recovery, const BrokerCore& core,
                            const Now& started) {
  if (recovery.cut_bytes > 0) {
    logger_.warning("the journal has a torn tail; nothing acknowledged is in it",
                    {{"records", std::to_string(recovery.cut_records)},
                     {"bytes", std::to_string(recovery.cut_bytes)}});
  }
  const auto took = process::read_clock().monotonic - started.monotonic;
  logger_.info("recovered", {{"records", std::to_string(recovery.records)},
                             {"tasks", std::to_string(core.tasks_held())},
                             {"epoch", std::to_string(core.epoch().value())},
                             {"ms", std::to_string(took.count() / 1'000'000)}});
}

void Serving::tell_room(const std::optional<std::string>& full) {
  if (full) {
    logger_.warning("the history has no room; what ends stays in the journal", {{"reason", *full}});
  } else {
    logger_.info("the history has room again");
  }
}

int Serving::run_loop(BrokerLoop& loop, const char* serves) {
  bind_or_refuse("--client-bind", client_port_.bind(options_.client_bind));
  logger_.info("listening", {{"clients", client_port_.endpoint()},
                             {"workers", worker_port_.endpoint()},
                             {"events", event_port_.endpoint()},
                             {"bulk", bulk_port_.endpoint()},
                             {"data", options_.data_dir},
                             {"durability", options_.durability},
                             {"keys", options_.keys.empty() ? "none" : options_.keys},
                             {"memory_limit", std::to_string(config_.memory_limit_bytes)},
                             {"serves", serves}});
  const int status = loop.run();
  logger_.info("stopped");
  return status;
}

}  // namespace

int serve(const BrokerOptions& options, std::vector<std::string> warnings,
          process::SignalFd& signals, process::Logger& logger) {
  process::raise_open_file_limit();
  make_folder(options.data_dir);
  return Serving(options, core_config(options, std::move(warnings)), signals, logger).run();
}

}  // namespace taskpipe::broker
