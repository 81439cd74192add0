#include "broker/history/schema.hpp"

#include <string>

#include "common/model/task.hpp"

namespace taskpipe::broker {
namespace {

constexpr const char* kTables = R"sql(
CREATE TABLE progress(            -- one row
  watermark    INTEGER NOT NULL,  -- everything that ended at or below this journal record is here
  last_arrival INTEGER NOT NULL   -- highest tasks.arrival ever stored
);
INSERT INTO progress VALUES (0, 0);

CREATE TABLE names(           -- of owners, tools and workers
  row  INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE specs(           -- everything about a task but its params; shared by equal tasks
  row               INTEGER PRIMARY KEY,
  fingerprint       BLOB NOT NULL UNIQUE,  -- SHA-256 of all that follows
  tool              TEXT NOT NULL,
  script            TEXT NOT NULL,
  inline_script     BLOB,                  -- the script itself when it travelled with the task
  priority          INTEGER NOT NULL,
  cpus              INTEGER NOT NULL,
  gpus              INTEGER NOT NULL,
  memory_bytes      INTEGER NOT NULL,
  run_time_ms       INTEGER NOT NULL,      -- limit; 0 = the tool's own
  grace_ms          INTEGER NOT NULL,
  wait_for_capacity INTEGER NOT NULL
);
CREATE TABLE spec_resources(  -- named ones: licences, scratch space, …
  spec     INTEGER NOT NULL REFERENCES specs,
  position INTEGER NOT NULL,
  name     TEXT NOT NULL,
  amount   INTEGER NOT NULL,
  PRIMARY KEY(spec, position)
) WITHOUT ROWID;
CREATE TABLE spec_labels(
  spec     INTEGER NOT NULL REFERENCES specs,
  position INTEGER NOT NULL,
  key      TEXT NOT NULL,
  value    TEXT NOT NULL,
  PRIMARY KEY(spec, position)
) WITHOUT ROWID;

CREATE TABLE tasks(
  row           INTEGER PRIMARY KEY,  -- in the order of storing
  id            BLOB NOT NULL UNIQUE,
  owner         INTEGER NOT NULL REFERENCES names,
  arrival       INTEGER NOT NULL,     -- order in which the broker accepted it
  state         INTEGER NOT NULL,     -- 2 SUCCESS, 3 FAILURE, 4 timeout, 5 error, 6 REVOKED
  tool          INTEGER NOT NULL REFERENCES names,  -- as in the spec; here for its index
  spec          INTEGER NOT NULL REFERENCES specs,
  workflow      BLOB,                 -- workflows.id; NULL = none
  worker        INTEGER REFERENCES names,  -- NULL = it never ran
  epoch         INTEGER NOT NULL,     -- of the deciding dispatch; 0 = it never ran
  attempt       INTEGER NOT NULL,
  failure       INTEGER NOT NULL,     -- class: 0 none, 1 exit, 2 signal, 3 oom, 4 timeout,
                                      -- 5 worker_lost, 6 spawn, 7 cancelled, 8 rejected
  exit_code     INTEGER NOT NULL,
  signal        INTEGER NOT NULL,
  submitted_ms  INTEGER NOT NULL,     -- since 1970, UTC; 0 = not set
  started_ms    INTEGER NOT NULL,
  finished_ms   INTEGER NOT NULL,
  wall_us       INTEGER NOT NULL,
  user_us       INTEGER NOT NULL,
  system_us     INTEGER NOT NULL,
  max_rss_bytes INTEGER NOT NULL,
  terminal_lsn  INTEGER NOT NULL,     -- the journal's record that ended it
  reason        TEXT NOT NULL,
  placements    BLOB,                 -- 16 bytes for each node's worker, the lead first
  params_hash   BLOB NOT NULL,        -- 16 bytes
  params        BLOB,                 -- msgpack
  report        BLOB                  -- msgpack
);
CREATE INDEX tasks_by_owner    ON tasks(owner, arrival);
CREATE INDEX tasks_by_tool     ON tasks(owner, tool, arrival);
CREATE INDEX tasks_not_success ON tasks(owner, state, arrival) WHERE state <> 2;
CREATE INDEX tasks_by_workflow ON tasks(workflow, arrival) WHERE workflow IS NOT NULL;

CREATE TABLE workflows(
  row          INTEGER PRIMARY KEY,
  id           BLOB NOT NULL UNIQUE,
  owner        INTEGER NOT NULL REFERENCES names,
  name         TEXT NOT NULL,
  on_failure   INTEGER NOT NULL,  -- 0 dependents run, 1 dependents are cancelled
  succeeded    INTEGER NOT NULL,
  submitted_ms INTEGER NOT NULL,
  finished_ms  INTEGER NOT NULL,
  terminal_lsn INTEGER NOT NULL
);
CREATE TABLE workflow_tasks(
  workflow INTEGER NOT NULL REFERENCES workflows,  -- its row
  position INTEGER NOT NULL,                       -- in the order of submission
  task     BLOB NOT NULL,                          -- tasks.id
  PRIMARY KEY(workflow, position)
) WITHOUT ROWID;
)sql";

// What later versions added. A new history is made as the first version was, and then brought
// forward like an old one, so that both are the same.
constexpr const char* kVersion2 = R"sql(
ALTER TABLE specs ADD COLUMN queue_time_ms     INTEGER NOT NULL DEFAULT 0;  -- limits; 0 = none
ALTER TABLE specs ADD COLUMN no_progress_ms    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE specs ADD COLUMN max_attempts      INTEGER NOT NULL DEFAULT 1;  -- of the retry policy
ALTER TABLE specs ADD COLUMN retried_failures  INTEGER NOT NULL DEFAULT 94;  -- a bit per class
ALTER TABLE specs ADD COLUMN backoff_ms        INTEGER NOT NULL DEFAULT 1000;
ALTER TABLE specs ADD COLUMN max_backoff_ms    INTEGER NOT NULL DEFAULT 60000;
ALTER TABLE specs ADD COLUMN max_worker_losses INTEGER;  -- NULL = the broker's own bound

ALTER TABLE tasks ADD COLUMN original BLOB;  -- tasks.id of the dead letter that it repeats
CREATE INDEX tasks_by_original ON tasks(original) WHERE original IS NOT NULL;

CREATE TABLE attempts(         -- those that did not decide how their task ended
  task       INTEGER NOT NULL REFERENCES tasks,  -- its row
  kind       INTEGER NOT NULL,  -- 0 it failed and another followed, 1 lost with its worker,
                                -- 2 its result came when it counted no more
  epoch      INTEGER NOT NULL,
  attempt    INTEGER NOT NULL,
  worker     TEXT NOT NULL,
  started_ms INTEGER NOT NULL,  -- 0 = it never said so
  ended_ms   INTEGER NOT NULL,
  state      INTEGER NOT NULL,
  failure    INTEGER NOT NULL,
  exit_code  INTEGER NOT NULL,
  signal     INTEGER NOT NULL,
  wall_us    INTEGER NOT NULL,
  reason     TEXT NOT NULL,
  PRIMARY KEY(task, epoch, attempt, kind)
) WITHOUT ROWID;
)sql";

constexpr const char* kVersion3 = R"sql(
CREATE TABLE spec_inputs(      -- files that the worker fetched before the start
  spec       INTEGER NOT NULL REFERENCES specs,
  position   INTEGER NOT NULL,
  name       TEXT NOT NULL,    -- in the attempt's directory
  sha256     TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  executable INTEGER NOT NULL,
  PRIMARY KEY(spec, position)
) WITHOUT ROWID;
)sql";

static_assert(kUsuallyRetriedFailures == 94 && RetryPolicy{}.max_attempts == 1 &&
                  RetryPolicy{}.backoff_ms == 1000 && RetryPolicy{}.max_backoff_ms == 60'000,
              "what an old specification means is written down above");

constexpr const char* kViews = R"sql(
CREATE VIEW tasks_readable AS SELECT
  lower(hex(tasks.id)) AS id,
  CASE state WHEN 2 THEN 'SUCCESS' WHEN 3 THEN 'FAILURE' WHEN 4 THEN 'timeout'
             WHEN 5 THEN 'error' WHEN 6 THEN 'REVOKED' END AS state,
  owners.name AS owner,
  specs.tool,
  specs.script,
  workers.name AS worker,
  CASE submitted_ms WHEN 0 THEN NULL ELSE
    strftime('%Y-%m-%dT%H:%M:%fZ', submitted_ms / 1000.0, 'unixepoch') END AS submitted,
  CASE started_ms WHEN 0 THEN NULL ELSE
    strftime('%Y-%m-%dT%H:%M:%fZ', started_ms / 1000.0, 'unixepoch') END AS started,
  CASE finished_ms WHEN 0 THEN NULL ELSE
    strftime('%Y-%m-%dT%H:%M:%fZ', finished_ms / 1000.0, 'unixepoch') END AS finished,
  wall_us / 1e6 AS wall_s,
  (user_us + system_us) / 1e6 AS cpu_s,
  max_rss_bytes,
  CASE failure WHEN 0 THEN 'none' WHEN 1 THEN 'exit' WHEN 2 THEN 'signal' WHEN 3 THEN 'oom'
               WHEN 4 THEN 'timeout' WHEN 5 THEN 'worker_lost' WHEN 6 THEN 'spawn'
               WHEN 7 THEN 'cancelled' WHEN 8 THEN 'rejected' END AS failure,
  exit_code,
  signal,
  reason,
  attempt,
  priority,
  lower(hex(workflow)) AS workflow,
  (SELECT group_concat(key || '=' || value, ',') FROM spec_labels
   WHERE spec_labels.spec = tasks.spec) AS labels,
  arrival
FROM tasks JOIN names AS owners ON owners.row = tasks.owner
           JOIN specs ON specs.row = tasks.spec
           LEFT JOIN names AS workers ON workers.row = tasks.worker;

CREATE VIEW workflows_readable AS SELECT
  lower(hex(workflows.id)) AS id,
  workflows.name,
  owners.name AS owner,
  (SELECT count(*) FROM workflow_tasks WHERE workflow = workflows.row) AS tasks,
  succeeded,
  CASE submitted_ms WHEN 0 THEN NULL ELSE
    strftime('%Y-%m-%dT%H:%M:%fZ', submitted_ms / 1000.0, 'unixepoch') END AS submitted,
  CASE finished_ms WHEN 0 THEN NULL ELSE
    strftime('%Y-%m-%dT%H:%M:%fZ', finished_ms / 1000.0, 'unixepoch') END AS finished
FROM workflows JOIN names AS owners ON owners.row = workflows.owner;
)sql";

// WAL: readers never wait for the broker, nor it for them, but for a moment where they have let the
// log grow beyond 64 MiB (SqliteHistory::store). FULL: a commit is on the disk when it returns. A
// checkpoint per 16 MiB of WAL keeps the cost of copying pages back below that of writing them; the
// WAL shrinks to 64 MiB after a reader held it back.
constexpr const char* kWriter = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 4096;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -65536;
)sql";

// A reader's cache is void after each transaction of the writer: it need not be large.
constexpr const char* kReader = "PRAGMA cache_size = -8192";

// Also of those that only read.
constexpr const char* kEveryConnection = R"sql(
PRAGMA temp_store = MEMORY;
PRAGMA trusted_schema = OFF;
)sql";

void bring_forward(SqliteDatabase& database, std::int64_t version) {
  SqliteTransaction transaction(database);
  if (version < 1) {
    database.execute(kTables);
    database.execute(kViews);
    database.execute(("PRAGMA application_id = " + std::to_string(kHistoryApplicationId)).c_str());
  }
  if (version < 2) database.execute(kVersion2);
  if (version < 3) database.execute(kVersion3);
  database.execute(("PRAGMA user_version = " + std::to_string(kHistorySchemaVersion)).c_str());
  transaction.commit();
}

}  // namespace

void check_history_format(SqliteDatabase& database, const std::string& path) {
  const std::int64_t application = database.integer("PRAGMA application_id");
  const std::int64_t version = database.integer("PRAGMA user_version");
  if (application != kHistoryApplicationId) {
    throw std::runtime_error("'" + path +
                             "' is an SQLite file, but no history of taskpipe; name another file");
  }
  if (version > kHistorySchemaVersion) {
    throw NewerHistory("the history '" + path + "' was written by a newer taskpipe (schema " +
                       std::to_string(version) + ", this one reads up to " +
                       std::to_string(kHistorySchemaVersion) +
                       "); start the release that wrote it or a later one, or give this "
                       "one another data folder");
  }
}

void prepare_history(SqliteDatabase& database, const std::string& path) {
  const bool is_new = database.integer("SELECT count(*) FROM sqlite_schema") == 0;
  if (!is_new) check_history_format(database, path);
  database.execute(kWriter);
  database.execute(kEveryConnection);
  if (database.text("PRAGMA journal_mode") != "wal") {
    throw std::runtime_error("the history '" + path +
                             "' cannot use a write-ahead log here; put it on a local file system");
  }
  const std::int64_t version = is_new ? 0 : database.integer("PRAGMA user_version");
  if (version < kHistorySchemaVersion) bring_forward(database, version);
}

void prepare_reading(SqliteDatabase& database, const std::string& path) {
  check_history_format(database, path);
  if (database.integer("PRAGMA user_version") < kHistorySchemaVersion) {
    throw std::runtime_error("the history '" + path +
                             "' was written by an earlier taskpipe, and reading alone does not "
                             "bring it forward; start the broker once where it can write");
  }
  database.execute(kReader);
  database.execute(kEveryConnection);
}

}  // namespace taskpipe::broker
