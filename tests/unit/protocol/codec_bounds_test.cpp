// Every bound at its limit and one beyond, on both sides of the wire.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "common/model/limits.hpp"
#include "common/protocol/codec.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol {
namespace {

std::optional<Error> encode_error(const Message& message) {
  const auto encoded = encode(message, Correlation(), SessionId());
  if (!encoded) return encoded.error();
  const auto decoded = decode(samples::frames_of(*encoded));
  if (!decoded) {
    ADD_FAILURE() << "encoded, but not decoded: " << decoded.error().text;
    return std::nullopt;
  }
  EXPECT_TRUE(decoded->message == message);
  return std::nullopt;
}

struct BoundCase {
  std::string name;
  std::size_t bound;
  std::string field;
  std::function<Message(std::size_t)> make;
};

Submit submit_with(const std::function<void(TaskSpec&)>& change) {
  TaskSpec spec = *samples::minimal_spec();
  change(spec);
  return Submit{{std::make_shared<const TaskSpec>(spec)}, {}};
}

std::string number(std::size_t i) { return std::to_string(1'000'000 + i); }

std::vector<BoundCase> text_bounds() {
  return {{"Tool", limits::kMaxNameBytes, "specs[0].tool",
           [](std::size_t n) {
             return submit_with([n](TaskSpec& s) { s.tool = std::string(n, 't'); });
           }},
          {"Script", limits::kMaxScriptNameBytes, "specs[0].script",
           [](std::size_t n) {
             return submit_with([n](TaskSpec& s) { s.script = std::string(n, 's'); });
           }},
          {"LabelValue", limits::kMaxTextBytes, "specs[0].labels[0].value",
           [](std::size_t n) {
             return submit_with([n](TaskSpec& s) { s.labels = {{"k", std::string(n, 'v')}}; });
           }},
          {"User", limits::kMaxNameBytes, "user",
           [](std::size_t n) {
             Hello hello;
             hello.user = std::string(n, 'u');
             return hello;
           }},
          {"Cursor", limits::kMaxTextBytes, "cursor",
           [](std::size_t n) {
             Query query;
             query.cursor = std::string(n, 'c');
             return query;
           }},
          {"Params", limits::kMaxPayloadBytes, "items[0].params",
           [](std::size_t n) {
             return Submit{{samples::minimal_spec()},
                           {{samples::task_id(0), 0, Payload(std::string(n, 'p')), {}}}};
           }},
          {"Report", limits::kMaxResultBytes, "items[0].outcome.report",
           [](std::size_t n) {
             Outcome outcome;
             outcome.report = Payload(std::string(n, 'r'));
             return Result{{{samples::attempt(0), outcome}}};
           }},
          {"LogChunk", limits::kMaxLogChunkBytes, "items[0].data", [](std::size_t n) {
             return Log{{{samples::attempt(0), LogStream::out, 0, Payload(std::string(n, 'l'))}}};
           }}};
}

std::vector<BoundCase> list_bounds() {
  return {{"SubmitItems", limits::kMaxBatchItems, "items",
           [](std::size_t n) {
             Submit submit{{samples::minimal_spec()}, {}};
             for (std::uint32_t i = 0; i < n; ++i)
               submit.items.push_back({samples::task_id(i), 0, {}, {}});
             return submit;
           }},
          {"WaitTasks", limits::kMaxBatchItems, "tasks",
           [](std::size_t n) {
             return Wait{std::vector<TaskId>(n, samples::task_id(0)), {}};
           }},
          {"CancelWorkflows", limits::kMaxBatchItems, "workflows",
           [](std::size_t n) {
             return Cancel{{}, std::vector<WorkflowId>(n, samples::workflow_id()), 0};
           }},
          {"ResultAckItems", limits::kMaxBatchItems, "items",
           [](std::size_t n) {
             return ResultAck{std::vector<ResultCode>(n, {samples::attempt(0), ErrorCode::ok})};
           }},
          {"Rows", limits::kMaxQueryRows, "rows",
           [](std::size_t n) {
             TaskRow row;
             row.tool = "shell";
             return Rows{std::vector<TaskRow>(n, row), {}, ""};
           }},
          {"HelloAttempts", limits::kMaxHelloAttempts, "worker.running",
           [](std::size_t n) {
             Hello hello;
             hello.role = Role::worker;
             hello.worker = WorkerOffer{};
             hello.worker->running.assign(n, samples::attempt(0));
             return hello;
           }},
          {"HelloAttemptsTogether", limits::kMaxHelloAttempts, "worker.running",
           [](std::size_t n) {
             Hello hello;
             hello.role = Role::worker;
             hello.worker = WorkerOffer{};
             hello.worker->running.assign(n / 2, samples::attempt(0));
             hello.worker->unacknowledged.assign(n - n / 2, samples::attempt(0));
             return hello;
           }},
          {"Labels", limits::kMaxLabels, "specs[0].labels",
           [](std::size_t n) {
             return submit_with([n](TaskSpec& s) {
               for (std::size_t i = 0; i < n; ++i) s.labels.push_back({number(i), "v"});
             });
           }},
          {"NamedResources", limits::kMaxNamedResources, "specs[0].resources.named",
           [](std::size_t n) {
             return submit_with([n](TaskSpec& s) {
               for (std::size_t i = 0; i < n; ++i) s.resources.named.push_back({number(i), 1});
             });
           }},
          {"Metrics", limits::kMaxMetrics, "items[0].metrics",
           [](std::size_t n) {
             ProgressItem item{samples::attempt(0), 1.0, "", {}};
             for (std::size_t i = 0; i < n; ++i) item.metrics.emplace_back(number(i), 0.5);
             return Progress{{item}};
           }},
          {"Placements", limits::kMaxPlacements, "items[0].placements",
           [](std::size_t n) {
             return Tasks{{samples::minimal_spec()},
                          {{samples::attempt(0), 0, std::vector<Placement>(n), {}}}};
           }},
          {"Dependencies", limits::kMaxDependenciesPerTask, "dependencies[0]",
           [](std::size_t n) {
             SubmitWorkflow workflow;
             workflow.specs = {samples::minimal_spec()};
             workflow.items = {{samples::task_id(0), 0, {}, {}}};
             workflow.dependencies = {{std::vector<std::uint32_t>(n, 1)}};
             return workflow;
           }},
          {"Blobs", limits::kMaxBlobs, "items[64].params", [](std::size_t n) {
             Submit submit{{samples::minimal_spec()}, {}};
             for (std::uint32_t i = 0; i < n; ++i) {
               submit.items.push_back({samples::task_id(i), 0, samples::large_payload(), {}});
             }
             return submit;
           }}};
}

class Bounded : public testing::TestWithParam<BoundCase> {};

TEST_P(Bounded, AtTheBoundAndNotBeyond) {
  const BoundCase& bounded = GetParam();
  for (const std::size_t size : {bounded.bound - 1, bounded.bound}) {
    const auto error = encode_error(bounded.make(size));
    EXPECT_FALSE(error.has_value()) << size << ": " << error->text;
  }
  const auto error = encode_error(bounded.make(bounded.bound + 1));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::too_big);
  EXPECT_EQ(error->field, bounded.field);
}

std::string bound_name(const testing::TestParamInfo<BoundCase>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Texts, Bounded, testing::ValuesIn(text_bounds()), bound_name);
INSTANTIATE_TEST_SUITE_P(Lists, Bounded, testing::ValuesIn(list_bounds()), bound_name);

TEST(CodecBounds, PayloadsAreInlineUpTo4096Bytes) {
  const auto encode_params_of = [](std::size_t size) {
    const Submit submit{{samples::minimal_spec()},
                        {{samples::task_id(0), 0, Payload(std::string(size, 'x')), {}}}};
    return *encode(submit, Correlation(), SessionId());
  };
  EXPECT_EQ(encode_params_of(limits::kMaxInlinePayloadBytes).blobs.size(), 0U);
  EXPECT_EQ(encode_params_of(limits::kMaxInlinePayloadBytes + 1).blobs.size(), 1U);
}

TEST(CodecBounds, ABodyMayNotExceedAFrame) {
  // 256 texts of 4 KiB each fit their own bounds; a thousand tools with a thousand scripts do not
  // fit a frame.
  ToolOffer offer;
  offer.name = "shell";
  offer.scripts.assign(limits::kMaxScriptsPerTool, {std::string(512, 's'), std::string(64, 'a')});
  ToolsReply reply;
  reply.tools.assign(8, {offer, 1});
  const auto error = encode_error(reply);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::too_big);
  EXPECT_EQ(error->field, "body");
}

TEST(CodecBounds, AllFramesTogetherAreBounded) {
  Submit submit{{samples::minimal_spec()}, {}};
  const Payload params(std::string(limits::kMaxPayloadBytes, 'p'));
  for (std::uint32_t i = 0; i < 4; ++i)
    submit.items.push_back({samples::task_id(i), 0, params, {}});
  EXPECT_FALSE(encode_error(submit).has_value());
  submit.items.push_back({samples::task_id(4), 0, params, {}});
  const auto error = encode_error(submit);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::too_big);
  EXPECT_EQ(error->field, "frames");
}

TEST(CodecBounds, InvalidTextIsRefusedBeforeItLeaves) {
  const auto error = encode_error(submit_with([](TaskSpec& s) { s.tool = "\xff"; }));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, ErrorCode::invalid);
  EXPECT_EQ(error->field, "specs[0].tool");
}

TEST(CodecBounds, ImpossiblePercentIsRefusedBeforeItLeaves) {
  for (const double percent : {100.5, std::numeric_limits<double>::quiet_NaN()}) {
    const auto encoded =
        encode(Progress{{{samples::attempt(0), percent, "", {}}}}, Correlation(), SessionId());
    ASSERT_FALSE(encoded.has_value());
    EXPECT_EQ(encoded.error().code, ErrorCode::invalid);
    EXPECT_EQ(encoded.error().field, "items[0].percent");
  }
}

}  // namespace
}  // namespace taskpipe::protocol
