#include "common/protocol/envelope.hpp"
#include "common/protocol/value_codec.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol::samples {
namespace {

constexpr WallTime kSubmitted{1'732'000'000'000};
constexpr WallTime kStarted{1'732'000'001'500};
constexpr WallTime kFinished{1'732'000'009'250};

std::vector<SubmitItem> items() {
  const Payload small = *encode_params(params());
  return {{task_id(0), 0, small, ParamsHash{0x5051525354555657, 0x58595a5b5c5d5e5f}},
          {task_id(1), 1, large_payload(), ParamsHash{1, 2}},
          {task_id(2), 1, Payload(), ParamsHash{}}};
}

Outcome failed() {
  Outcome outcome;
  outcome.state = TaskState::failure;
  outcome.failure = FailureClass::signal;
  outcome.exit_code = -1;
  outcome.signal = 11;
  outcome.usage = Usage{7'750'000, 7'000'000, 250'000, 512ULL << 20U};
  outcome.reason = "killed by signal 11";
  outcome.report = *encode_report(report());
  return outcome;
}

}  // namespace

std::vector<Sample> client() {
  const Error refused{ErrorCode::invalid, "tool is empty; give it a name", "specs[0].tool", {}};
  SubmitWorkflow workflow;
  workflow.id = workflow_id();
  workflow.name = "anneal";
  workflow.on_failure = OnFailure::cancel_dependents;
  workflow.first_index = 300;
  workflow.total = 303;
  workflow.specs = {full_spec(), minimal_spec()};
  workflow.items = items();
  workflow.dependencies = {Dependencies{}, Dependencies{{300}}, Dependencies{{0, 301}}};

  Outcome succeeded;
  succeeded.state = TaskState::success;
  const DoneTask done{attempt(0), failed(), "node-17", kSubmitted, kStarted, kFinished};
  const DoneTask plain{AttemptKey{task_id(1), Epoch(), Attempt()}, succeeded, "", {}, {}, {}};
  return {
      {"SUBMIT full", Submit{{full_spec(), minimal_spec()}, items()}, kFlagResend},
      {"SUBMIT that waits", Submit{{}, {}, true}},
      {"SUBMIT minimal", Submit{}},
      {"SUBMIT_ACK full", SubmitAck{{{task_id(0), ErrorCode::ok}, {task_id(1), ErrorCode::invalid}},
                                    refused,
                                    65'600,
                                    67'000'000}},
      {"SUBMIT_ACK that waits",
       SubmitAck{{{task_id(0), ErrorCode::ok}}, {}, 65'600, 67'000'000, true}},
      {"SUBMIT_ACK minimal", SubmitAck{}},
      {"WORKFLOW full", workflow},
      {"WORKFLOW minimal", SubmitWorkflow{}},
      {"WORKFLOW_ACK full", WorkflowAck{workflow_id(), 303, refused}},
      {"WORKFLOW_ACK minimal", WorkflowAck{}},
      {"WAIT full", Wait{{task_id(0), task_id(1)}, {workflow_id()}}},
      {"WAIT minimal", Wait{}},
      {"DONE full",
       Done{{done, plain}, {{workflow_id(), 303, 302}}, {task_id(9)}, {WorkflowId(1, 2)}}},
      {"DONE minimal", Done{}},
      {"RESUBMIT full", Resubmit{{{task_id(0), task_id(7)}, {task_id(1), task_id(8)}}}},
      {"RESUBMIT minimal", Resubmit{}},
      {"RESUBMIT_ACK full",
       ResubmitAck{{{task_id(7), ErrorCode::ok}, {task_id(8), ErrorCode::unknown_task}},
                   Error{ErrorCode::unknown_task, "there is no task", "original"}}},
      {"RESUBMIT_ACK minimal", ResubmitAck{}},
      {"CANCEL full", Cancel{{task_id(0)}, {workflow_id()}, 2500}},
      {"CANCEL minimal", Cancel{}},
      {"CANCEL_ACK full",
       CancelAck{{{task_id(0), ErrorCode::ok, true}, {task_id(9), ErrorCode::unknown_task, false}},
                 true}},
      {"CANCEL_ACK minimal", CancelAck{}}};
}

std::vector<Sample> worker() {
  const Error refusal{ErrorCode::unsupported, "no such script", "script", {}};
  const Tasks tasks{
      {full_spec(), minimal_spec()},
      {{attempt(0), 0, {{PeerUuid(1, 2)}, {PeerUuid(3, 4)}}, *encode_params(params())},
       {attempt(1), 1, {}, large_payload()}}};
  const Progress progress{{{attempt(0), 42.5, "step 425 of 1000", {{"temp", 1.44}, {"e", -4.5}}},
                           {attempt(1), -1.0, "", {}}}};
  const Log log{{{attempt(0), LogStream::err, 70'000, Payload("warning\n")},
                 {attempt(1), LogStream::out, 0, large_payload()}}};
  Outcome success;
  success.state = TaskState::success;
  return {{"RECONCILE full",
           Reconcile{{attempt(0)}, {attempt(1)}, {attempt(2)}, {attempt(3), attempt(4)}}},
          {"RECONCILE minimal", Reconcile{}},
          {"CREDIT full", Credit{64, 32U << 20U}},
          {"CREDIT minimal", Credit{}},
          {"TASKS full", tasks},
          {"TASKS minimal", Tasks{}},
          {"TASKS_ACK full", TasksAck{{{attempt(0), refusal}}}},
          {"TASKS_ACK minimal", TasksAck{}},
          {"RECALL full", Recall{{attempt(0), attempt(1)}}},
          {"RECALL minimal", Recall{}},
          {"RETURNED full", Returned{{attempt(1)}}},
          {"RETURNED minimal", Returned{}},
          {"STARTED full", Started{{{attempt(0), 4243}, {attempt(1), 0}}}},
          {"STARTED minimal", Started{}},
          {"PROGRESS full", progress},
          {"PROGRESS minimal", Progress{}},
          {"LOG full", log},
          {"LOG minimal", Log{}},
          {"RESULT full", Result{{{attempt(0), failed()}, {attempt(1), success}}}},
          {"RESULT minimal", Result{}},
          {"RESULT_ACK full",
           ResultAck{{{attempt(0), ErrorCode::ok}, {attempt(1), ErrorCode::stale_attempt}}}},
          {"RESULT_ACK minimal", ResultAck{}},
          {"KILL full", Kill{{{attempt(0), 5000}}}},
          {"KILL minimal", Kill{}},
          {"DRAIN full", Drain{60'000}},
          {"DRAIN minimal", Drain{}},
          {"DRAINED full", Drained{true}},
          {"DRAINED minimal", Drained{}}};
}

}  // namespace taskpipe::protocol::samples
