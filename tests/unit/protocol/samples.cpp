#include "tests/unit/protocol/samples.hpp"

#include <iterator>

namespace taskpipe::protocol::samples {

TaskId task_id(std::uint32_t index) {
  return TaskIdPrefix{0x0193'a5b6'c7d8, 0x1234'5678'9abc}.id(index);
}

WorkflowId workflow_id() { return WorkflowId(0x2021222324252627, 0x28292a2b2c2d2e2f); }

AttemptKey attempt(std::uint32_t index) {
  return AttemptKey{task_id(index), Epoch(7), Attempt(index + 1)};
}

TaskSpecPtr full_spec() {
  TaskSpec spec;
  spec.tool = "lammps";
  spec.script = "melt/in.melt";
  spec.inline_script = Payload("units lj\nrun 1000\n");
  spec.priority = -5;
  spec.resources.cpus = 4;
  spec.resources.gpus = 1;
  spec.resources.memory_bytes = 8ULL << 30U;
  spec.resources.named = {{"license.abaqus", 2}, {"scratch_gb", 70'000}};
  spec.limits.run_time_ms = 86'400'000ULL * 60;
  spec.limits.grace_ms = 10'000;
  spec.limits.queue_time_ms = 600'000;
  spec.limits.no_progress_ms = 300'000;
  spec.retry = {5, failure_bit(FailureClass::exit) | failure_bit(FailureClass::rejected), 250,
                30'000, 2};
  spec.labels = {{"project", "glas-übergang"}, {"team", "materials"}};
  spec.wait_for_capacity = true;
  spec.inputs = {{"data/mesh.msh", std::string(64, 'd'), 5'000'000'000, false},
                 {"pre.sh", std::string(64, 'e'), 12, true}};
  return std::make_shared<const TaskSpec>(spec);
}

TaskSpecPtr minimal_spec() {
  TaskSpec spec;
  spec.tool = "shell";
  return std::make_shared<const TaskSpec>(spec);
}

Payload large_payload() { return Payload(std::string(4097, 'x')); }

ValueMap params() {
  return ValueMap{{"bytes", ValueBytes{std::string("\x00\xff", 2)}},
                  {"count", 300},
                  {"dx", 0.125},
                  {"grid", ValueList{1, -2, ValueMap{{"deep", true}}}},
                  {"name", "Poisson"},
                  {"nothing", Value()}};
}

RunReport report() {
  RunReport report;
  report.node = "node-17";
  report.directory = "/var/lib/taskpipe/attempts/1";
  report.stdout_tail = "Total wall time: 0:00:01\n";
  report.stderr_tail = "warning: größer\n";
  report.stdout_bytes = 123'456;
  report.stderr_bytes = 17;
  report.artifacts = {{"log.lammps", "/var/lib/taskpipe/attempts/1/log.lammps", 70'001,
                       std::string(64, 'a'), true, false, ""},
                      {"big.dump", "/shared/big.dump", 1ULL << 40U, "", false, true,
                       "the store has no room for it"}};
  report.metrics = {{"energy", -4.5}, {"temp", 1.44}};
  report.value = ValueMap{{"answer", 42}};
  return report;
}

std::vector<Sample> all() {
  std::vector<Sample> samples;
  for (auto group : {session(), client(), status(), watching(), worker(), bulk(), events()}) {
    std::move(group.begin(), group.end(), std::back_inserter(samples));
  }
  return samples;
}

FrameView view(std::string_view text) { return std::as_bytes(std::span(text)); }

std::vector<FrameView> frames_of(const EncodedMessage& message) {
  std::vector<FrameView> frames = {FrameView(message.header), view(message.body)};
  for (const Payload& blob : message.blobs) frames.push_back(blob.bytes());
  return frames;
}

std::vector<Sample> session() {
  WorkerOffer offer;
  offer.slots = 8;
  offer.resources.cpus = 16;
  offer.resources.memory_bytes = 64ULL << 30U;
  offer.resources.named = {{"license.abaqus", 1}};
  offer.tools = {{"lammps",
                  "20220106",
                  "Molecular dynamics",
                  {{"melt/in.melt", std::string(64, 'b')}, {"in.flow", std::string(64, 'c')}},
                  true,
                  true},
                 {"shell", "", "", {}, false, false}};
  offer.labels = {{"rack", "r7"}, {"site", "basel"}};
  offer.running = {attempt(0), attempt(1)};
  offer.unacknowledged = {attempt(2)};

  Hello worker;
  worker.role = Role::worker;
  worker.user = "ada";
  worker.uuid = PeerUuid(0x3031323334353637, 0x38393a3b3c3d3e3f);
  worker.incarnation = 3;
  worker.name = "node-17";
  worker.host = "node-17.cluster";
  worker.pid = 4242;
  worker.features = {"recall"};
  worker.last_epoch = Epoch(6);
  worker.worker = offer;

  Welcome welcome;
  welcome.session = SessionId(900);
  welcome.broker = BrokerUuid(0x4041424344454647, 0x48494a4b4c4d4e4f);
  welcome.epoch = Epoch(7);
  welcome.heartbeat_ms = 2000;
  welcome.lease_ms = 30'000;
  welcome.max_message_bytes = 4U << 20U;
  welcome.max_batch_items = 256;
  welcome.messages_total = 65'536;
  welcome.bytes_total = 64U << 20U;
  welcome.event_endpoint = "tcp://127.0.0.1:7612";
  welcome.bulk_endpoint = "tcp://127.0.0.1:7613";
  welcome.bulk_token = BulkToken(0x6061626364656667, 0x68696a6b6c6d6e6f);
  welcome.role = Role::observer;
  welcome.user = "ann";

  const Error error{ErrorCode::busy, "the journal is behind", "items", 1000};
  return {{"WHO full", Who{Epoch(7)}},
          {"WHO minimal", Who{}},
          {"HELLO full", worker},
          {"HELLO minimal", Hello{}},
          {"WELCOME full", welcome},
          {"WELCOME minimal", Welcome{}},
          {"PING full", Ping{0xffff'ffff'ffff'ffff}},
          {"PING minimal", Ping{}},
          {"PONG full", Pong{0x1'0000'0000, Epoch(7)}},
          {"PONG minimal", Pong{}},
          {"BYE full", Bye{"replaced"}},
          {"BYE minimal", Bye{}},
          {"ERROR full", ErrorReply{error}},
          {"ERROR minimal", ErrorReply{}}};
}

}  // namespace taskpipe::protocol::samples
