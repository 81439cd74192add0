#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol::samples {
namespace {

TaskRow full_row() {
  TaskRow row;
  row.id = task_id(0);
  row.workflow = workflow_id();
  row.owner = "ada";
  row.tool = "lammps";
  row.script = "melt/in.melt";
  row.state = TaskState::failure;
  row.failure = FailureClass::exit;
  row.priority = 10;
  row.attempt = Attempt(2);
  row.worker = "node-17";
  row.exit_code = 3;
  row.progress_percent = 99.5;
  row.message = "step 995 of 1000";
  row.submitted = WallTime{1'732'000'000'000};
  row.started = WallTime{1'732'000'001'500};
  row.finished = WallTime{1'732'000'009'250};
  row.params = Payload(std::string("encoded params"));
  PastAttempt past{PastKind::late,
                   Epoch(6),
                   Attempt(1),
                   "node-16",
                   WallTime{1'732'000'000'100},
                   WallTime{1'732'000'000'900},
                   {}};
  past.outcome.failure = FailureClass::signal;
  past.outcome.signal = 11;
  past.outcome.reason = "killed by signal 11";
  row.attempts = {past};
  row.original = task_id(5);
  return row;
}

WorkerRow full_worker() {
  WorkerRow row;
  row.uuid = PeerUuid(0x3031323334353637, 0x38393a3b3c3d3e3f);
  row.name = "node-17";
  row.host = "node-17.cluster";
  row.pid = 4242;
  row.state = WorkerState::draining;
  row.total.cpus = 16;
  row.total.named = {{"license.abaqus", 1}};
  row.free.cpus = 12;
  row.free.named = {{"license.abaqus", 0}};
  row.running = 4;
  row.last_heard_ms = 350;
  row.tools = {"lammps", "shell"};
  row.labels = {{"rack", "r7"}};
  return row;
}

HealthReply full_health() {
  HealthReply reply;
  reply.healthy = true;
  reply.warnings = {"no keys: insecure bind"};
  reply.version = "0.1.0";
  reply.epoch = Epoch(7);
  reply.uptime_ms = 3'600'000;
  reply.workers_ready = 12;
  reply.tasks_pending = 1'000'000;
  reply.tasks_running = 96;
  reply.tasks_finished = 5'000'000'000;
  reply.journal_bytes = 1ULL << 30U;
  reply.history_lag_tasks = 17;
  reply.memory_bytes = 1ULL << 29U;
  reply.memory_limit_bytes = 1ULL << 34U;
  return reply;
}

TaskEvent full_task_event() {
  TaskEvent event;
  event.id = task_id(0);
  event.state = TaskState::failure;
  event.failure = FailureClass::oom;
  event.attempt = Attempt(1);
  event.tool = "lammps";
  event.script = "melt/in.melt";
  event.worker = "node-17";
  event.percent = 42.5;
  event.message = "step 425 of 1000";
  event.metrics = {{"temp", 1.44}};
  event.at = WallTime{1'732'000'009'250};
  event.seq = 42;
  return event;
}

}  // namespace

std::vector<Sample> status() {
  TaskRow empty_row;
  empty_row.tool = "shell";
  const ToolOffer offer{
      "lammps", "20220106", "Molecular dynamics", {{"in.flow", std::string(64, 'c')}}, true, true};
  Query query;
  query.filter = {{task_id(0)}, workflow_id(), TaskState::running, "lammps", false};
  query.cursor = "0193a5b6c7d8";
  query.limit = 1000;
  query.with_params = true;
  query.filter.dead = true;
  Query attempts;
  attempts.filter.tasks = {task_id(0)};
  attempts.with_attempts = true;
  return {
      {"QUERY full", query},
      {"QUERY minimal", Query{}},
      {"QUERY attempts", attempts},
      {"ROWS full", Rows{{full_row(), empty_row}, {task_id(9)}, "0193a5b6c7d8"}},
      {"ROWS minimal", Rows{}},
      {"FETCH full", Fetch{task_id(0), LogStream::err, 70'000, 4096, true, Attempt(2)}},
      {"FETCH minimal", Fetch{}},
      {"CHUNK full", Chunk{task_id(0), LogStream::err, 70'000, true, large_payload(), Attempt(2)}},
      {"CHUNK minimal", Chunk{}},
      {"TOOLS full", ToolsRequest{"shell"}},
      {"TOOLS minimal", ToolsRequest{}},
      {"TOOLS_REPLY full",
       ToolsReply{{{offer, 3}, {{"shell", "", "", {}, false, false}, 0}}, "shell"}},
      {"TOOLS_REPLY minimal", ToolsReply{}},
      {"WORKERS full", WorkersRequest{"17"}},
      {"WORKERS minimal", WorkersRequest{}},
      {"WORKERS_REPLY full", WorkersReply{{full_worker(), WorkerRow{}}, "17"}},
      {"WORKERS_REPLY minimal", WorkersReply{}},
      {"HEALTH full", HealthRequest{}},
      {"HEALTH minimal", HealthRequest{}},
      {"HEALTH_REPLY full", full_health()},
      {"HEALTH_REPLY minimal", HealthReply{}}};
}

std::vector<Sample> watching() {
  const Watch watch{{"task.lammps.", {}, true}, Epoch(7), 41, 32, true};
  const Snap snap{
      Epoch(7), 1000, 12, {full_task_event(), TaskEvent{}}, {{workflow_id(), 303, 300, 299}}, 256};
  return {{"WATCH full", watch},
          {"WATCH minimal", Watch{}},
          {"WATCH_CREDIT full", WatchCredit{64, true}},
          {"WATCH_CREDIT minimal", WatchCredit{}},
          {"SNAPSHOT full", Snapshot{{"", {task_id(0), task_id(1)}, true}, 256}},
          {"SNAPSHOT minimal", Snapshot{}},
          {"SNAP full", snap},
          {"SNAP minimal", Snap{}}};
}

std::vector<Sample> events() {
  Events full;
  full.epoch = Epoch(7);
  full.prev_seq = 41;
  full.seq = 42;
  full.tasks = {full_task_event(), TaskEvent{}};
  full.workflows = {{workflow_id(), 303, 300, 299}};
  full.workers = {{PeerUuid(1, 2), "node-17", WorkerState::lost}, WorkerEvent{}};
  full.positions = {{"task.lammps.", 42}, {"worker.", 3}};
  full.offset = 256;
  return {{"EVENTS full", full}, {"EVENTS minimal", Events{}}};
}

}  // namespace taskpipe::protocol::samples
