// What the operator may set, and how taskpipe-broker reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/limits.hpp"
#include "common/model/time.hpp"
#include "common/process/options.hpp"

namespace taskpipe::broker {

struct BrokerOptions {
  std::string client_bind = "tcp://127.0.0.1:7610";
  std::string worker_bind = "tcp://127.0.0.1:7611";
  std::string event_bind = "tcp://127.0.0.1:7612";
  std::string bulk_bind = "tcp://127.0.0.1:7613";
  std::string keys;              // the cluster folder; empty = peers have no keys
  std::string audit_log;         // empty = audit.log in the data folder, with keys
  std::uint32_t io_threads = 0;  // 0 = one, with keys two
  bool insecure = false;
  std::string data_dir = "taskpipe-data";
  std::string durability = "fsync";
  std::uint64_t journal_max_bytes = 0;
  std::uint64_t journal_segment_bytes = 0;  // 0 = the journal's default
  std::uint64_t memory_limit_bytes = 0;     // 0 = a share of what the host allows
  std::uint64_t event_retention_bytes = limits::kEventRetentionBytes;
  std::uint64_t artifact_quota_bytes = 0;  // 0 = a share of what the disk has free
  Millis artifact_retention{std::int64_t{7} * 24 * 3600 * 1000};
  Millis heartbeat{0};  // set to the defaults of limits.hpp
  Millis lease{0};
  std::string log_level = "info";
  std::string log_format = "text";
  std::string log_file;
  bool check = false;     // instead of serving
  std::string backup_to;  // instead of serving; empty = no backup
  bool json = false;      // of --check

  BrokerOptions();
};

// Declares every option on `table`; `options` receives the values.
void declare_options(process::OptionTable& table, BrokerOptions& options);

// Binds that others can reach (exposure.hpp), without keys: INVALID naming the option unless
// --insecure is set, and then a warning for each. With keys any bind is right.
[[nodiscard]] tl::expected<std::vector<std::string>, Error> check_binds(
    const BrokerOptions& options);

}  // namespace taskpipe::broker
