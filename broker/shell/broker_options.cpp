#include "broker/shell/broker_options.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "broker/shell/exposure.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::broker {
BrokerOptions::BrokerOptions() : heartbeat(limits::kHeartbeatMs), lease(limits::kLeaseMs) {}

void declare_options(process::OptionTable& table, BrokerOptions& options) {
  table.group("Network");
  table.text("client-bind", options.client_bind, "ENDPOINT",
             "Where clients connect. A port of '*' picks a free one.");
  table.text("worker-bind", options.worker_bind, "ENDPOINT", "Where workers connect.");
  table.text("event-bind", options.event_bind, "ENDPOINT",
             "Where progress and events are published.");
  table.text("bulk-bind", options.bulk_bind, "ENDPOINT",
             "Where artifacts and input files go up and down.");
  table.integer<std::uint32_t>("io-threads", options.io_threads, {0, 16},
                               "Threads that encrypt and carry messages; 0 = 1, with --keys 2.");
  table.group("Security");
  table.text("keys", options.keys, "DIR",
             "The cluster folder, as 'taskpipe-broker init DIR' makes it: every peer must show a "
             "key that has its certificate in DIR/peers. Without it there are no keys, and only "
             "this host, with all its users, may connect.");
  table.text("audit-log", options.audit_log, "FILE",
             "With --keys: who came, went, was refused, and acted for others, as JSON lines; "
             "empty = audit.log in --data-dir.");
  table.flag(
      "insecure", options.insecure,
      "Allow addresses that other hosts can reach, and ipc sockets that other users can, although "
      "there are no keys: whoever reaches them can run programs on the workers.");
  table.group("Storage");
  table.text("data-dir", options.data_dir, "DIR",
             "Folder of journal, history and store; made when it does not exist.");
  table.choice(
      "durability", options.durability, {"fsync", "os", "none"},
      "What an acknowledgement survives: a power loss (fsync), the end of the broker (os), "
      "or nothing (none).");
  table.size("journal-max", options.journal_max_bytes, {},
             "Refuse submits when the journal would grow beyond this; 0 = the disk decides.");
  table.size("journal-segment", options.journal_segment_bytes, {},
             "Size of one journal file; 0 = the default.");
  table.size(
      "artifact-quota", options.artifact_quota_bytes, {},
      "Most that artifacts and inputs may take in the store; what was used longest ago makes "
      "room. 0 = half of what the disk has free at the start.");
  table.duration("artifact-retention", options.artifact_retention,
                 {Millis(60'000), Millis(std::int64_t{3650} * 24 * 3600 * 1000)},
                 "How long after its last use a file stays in the store. Inputs of tasks that have "
                 "not ended stay in any case.");
  table.group("Memory");
  table.size(
      "memory-limit", options.memory_limit_bytes, {},
      "Let clients wait with submits while tasks, results and unsent messages take this much "
      "(16 MiB at least); 0 = half of what the host, or the cgroup, allows.");
  table.size(
      "event-retention-bytes", options.event_retention_bytes,
      {limits::kMinEventRetentionBytes, limits::kMaxEventRetentionBytes},
      "Memory for the recent changes of state, about 60 bytes each: how far back whoever was "
      "away can be told what it missed.");
  table.group("Tools (one of them instead of serving)");
  table.command_line_only(true);
  table.flag("check", options.check,
             "Verify journal and history of --data-dir, which no broker may use meanwhile; changes "
             "nothing. Exit 0 = sound, 1 = damaged, 2 = could not be checked.");
  table.text("backup", options.backup_to, "TARGET",
             "Copy --data-dir, which a broker may use meanwhile, to a new or empty folder.");
  table.flag("json", options.json, "Let --check print one JSON object.");
  table.command_line_only(false);
  table.group("Liveness");
  table.duration("heartbeat", options.heartbeat, {Millis(100), Millis(60'000)},
                 "How often peers say that they are alive.");
  table.duration("lease", options.lease, {Millis(500), Millis(3'600'000)},
                 "How long a worker may be silent before its tasks go to others.");
  table.group("Log");
  table.choice("log-level", options.log_level, {"debug", "info", "warning", "error"},
               "What is logged.");
  table.choice("log-format", options.log_format, {"text", "json"}, "Lines for people or programs.");
  table.text("log-file", options.log_file, "FILE", "Where the log goes; empty = standard error.");
}

tl::expected<std::vector<std::string>, Error> check_binds(const BrokerOptions& options) {
  const std::array<std::pair<std::string_view, const std::string*>, 4> binds = {
      std::pair{std::string_view("client-bind"), &options.client_bind},
      std::pair{std::string_view("worker-bind"), &options.worker_bind},
      std::pair{std::string_view("event-bind"), &options.event_bind},
      std::pair{std::string_view("bulk-bind"), &options.bulk_bind}};
  std::vector<std::string> warnings;
  if (!options.keys.empty() && options.insecure) {
    return tl::unexpected(Error{ErrorCode::invalid,
                                "--insecure is for brokers without keys; leave it out, or --keys",
                                "insecure"});
  }
  if (!options.keys.empty()) return warnings;
  for (const auto& [name, endpoint] : binds) {
    const auto exposure = exposure_of(*endpoint);
    if (!exposure) continue;
    if (!options.insecure) {
      return tl::unexpected(Error{
          ErrorCode::invalid,
          "--" + std::string(name) + " " + *endpoint + " can be reached by " + exposure->who +
              ", and there are no keys: anybody who reaches it could run programs on your workers. "
              "Make keys with 'taskpipe-broker init DIR' and give --keys DIR, " +
              exposure->remedy + ", or accept this with --insecure",
          std::string(name)});
    }
    warnings.push_back("--" + std::string(name) + " " + *endpoint + " can be reached by " +
                       exposure->who + ", without keys (--insecure)");
  }
  return warnings;
}

}  // namespace taskpipe::broker
