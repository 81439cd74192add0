// The client against a broker that behaves: every call once, and bad input.
#include <algorithm>
#include <limits>
#include <thread>

#include <gmock/gmock.h>

#include "tests/unit/client/client_fixture.hpp"

namespace taskpipe::testing {
namespace {

using ClientTest = ClientFixture;

TEST_F(ClientTest, ConnectTellsAboutTheSession) {
  const auto info = client_.connect();
  ASSERT_TRUE(info) << info.error().text();
  EXPECT_EQ(info->broker, broker_.endpoint());
  EXPECT_EQ(info->events, broker_.event_endpoint());
  EXPECT_EQ(info->epoch, broker_.epoch());
  EXPECT_EQ(info->broker_uuid, BrokerUuid(1, 2));
  EXPECT_EQ(client_.connect()->session, info->session);
}

TEST_F(ClientTest, SubmitReturnsAnIdThatTheBrokerKnows) {
  TaskRequest task = request("shell", 7);
  task.priority = -3;
  task.labels = {{"b", "2"}, {"a", "1"}};
  task.resources.named = {{"license", 2}, {"license", 1}};
  task.inline_script = "echo hello";
  const TaskId id = submitted(task);
  const auto known = broker_.task(id);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->spec->tool, "shell");
  EXPECT_EQ(known->spec->priority, -3);
  EXPECT_EQ(known->spec->inline_script.text(), "echo hello");
  EXPECT_EQ(known->spec->labels, (std::vector<Label>{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(known->spec->resources.named, (std::vector<NamedResource>{{"license", 3}}));
  EXPECT_EQ(protocol::decode_params(known->params.bytes()).value(), task.params);
  EXPECT_EQ(known->params_hash, protocol::hash_params(known->params));
}

TEST_F(ClientTest, BadTasksAreRefusedBeforeSending) {
  const auto field_of = [this](const TaskRequest& task) {
    const auto id = client_.submit(task);
    EXPECT_FALSE(id);
    return id ? std::string("accepted") : id.error().error.field;
  };
  EXPECT_EQ(field_of(request("")), "tool");
  TaskRequest task = request();
  task.script = "../up";
  EXPECT_EQ(field_of(task), "script");
  task = request();
  task.params = {{"grid", ValueList{1, std::numeric_limits<double>::quiet_NaN()}}};
  EXPECT_EQ(field_of(task), "params.grid[1]");
  task = request();
  task.params = {{"data", std::string(5U << 20U, 'x')}};
  EXPECT_EQ(field_of(task), "params");
  task = request();
  task.inline_script = std::string(5U << 20U, 'x');
  EXPECT_EQ(field_of(task), "inline_script");
  task = request();
  task.labels = {{"a", "1"}, {"a", "2"}};
  EXPECT_EQ(field_of(task), "labels.a");
  task = request();
  task.id = TaskId{};
  EXPECT_EQ(field_of(task), "id");
  EXPECT_EQ(broker_.task_count(), 0U);
}

TEST_F(ClientTest, BatchesAreSharedOutOverFewMessages) {
  const auto ids = submitted(1000);
  ASSERT_EQ(ids.size(), 1000U);
  EXPECT_EQ(broker_.task_count(), 1000U);
  std::size_t messages = 0;
  // Not counting what was sent again because the broker took its time.
  broker_.on_thread([&] { messages = broker_.seen(MessageType::submit) - broker_.seen_resends(); });
  EXPECT_EQ(messages, 4U);
  EXPECT_EQ(ids[1].low() - ids[0].low(), 1U);  // one prefix per batch
}

TEST_F(ClientTest, EveryItemOfABatchFailsForItself) {
  broker_.add_task(TaskId(7, 7), "shell");
  std::vector<TaskRequest> batch = {request("shell", 1), request(""), request("shell", 2),
                                    request("shell", 3)};
  batch[2].id = TaskId(7, 7);  // exists with other params
  const auto ids = client_.submit_batch(batch);
  ASSERT_FALSE(ids);
  const BatchError& error = ids.error();
  ASSERT_EQ(error.items.size(), 2U);
  EXPECT_EQ(error.items[0].index, 1U);
  EXPECT_EQ(error.items[0].error.error.field, "tasks[1].tool");
  EXPECT_EQ(error.items[1].index, 2U);
  EXPECT_TRUE(error.items[1].error.is(ErrorCode::id_conflict));
  ASSERT_EQ(error.ids.size(), 4U);
  EXPECT_TRUE(broker_.task(error.ids[0]));
  EXPECT_TRUE(broker_.task(error.ids[3]));
}

TEST_F(ClientTest, EmptyListsAskNothing) {
  EXPECT_TRUE(client_.submit_batch({})->empty());
  EXPECT_TRUE(client_.wait_all({})->empty());
  EXPECT_TRUE(client_.monitor({}, nullptr)->empty());
  EXPECT_TRUE(client_.status(std::span<const TaskId>{})->rows.empty());
  EXPECT_TRUE(client_.cancel(std::span<const TaskId>{})->empty());
  EXPECT_TRUE(client_.wait_any({}).error().is(ErrorCode::invalid));
}

TEST_F(ClientTest, WorkflowsAreAcceptedAsAWhole) {
  WorkflowRequest workflow;
  workflow.name = "chain";
  workflow.tasks = {{request("shell", 1), {}}, {request("shell", 2), {0}}};
  const auto receipt = client_.submit_workflow(workflow);
  ASSERT_TRUE(receipt) << receipt.error().text();
  ASSERT_EQ(receipt->tasks.size(), 2U);
  EXPECT_TRUE(broker_.task(receipt->tasks[1]));
  auto waiting = in_background([&] { return client_.wait_workflow(receipt->id, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::wait));
  broker_.finish_workflow(receipt->id, 1);
  const auto done = waiting.get();
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(done->total, 2U);
  EXPECT_EQ(done->succeeded, 1U);
  EXPECT_TRUE(
      client_.wait_workflow(WorkflowId(3, 3), patient_).error().is(ErrorCode::unknown_task));
}

TEST_F(ClientTest, LargeWorkflowsTravelInParts) {
  WorkflowRequest workflow;
  for (int i = 0; i < 1000; ++i) workflow.tasks.push_back({request("shell", i), {}});
  for (std::uint32_t i = 1; i < 1000; ++i) workflow.tasks[i].after = {i - 1};
  ASSERT_TRUE(client_.submit_workflow(workflow));
  EXPECT_EQ(broker_.task_count(), 1000U);
}

TEST_F(ClientTest, BadWorkflowsAreRefusedBeforeSending) {
  WorkflowRequest workflow;
  EXPECT_EQ(client_.submit_workflow(workflow).error().error.field, "tasks");
  workflow.tasks = {{request(), {1}}, {request(), {0}}};
  EXPECT_TRUE(client_.submit_workflow(workflow).error().is(ErrorCode::cycle));
  workflow.tasks = {{request(), {}}, {request(""), {0}}};
  EXPECT_EQ(client_.submit_workflow(workflow).error().error.field, "tasks[1].tool");
  EXPECT_EQ(broker_.task_count(), 0U);
}

TEST_F(ClientTest, AStoppedSubmitSaysThatItMayHaveBeenAccepted) {
  broker_.hold(MessageType::submit);
  std::stop_source source;
  auto submitting = in_background([&] {
    return client_.submit(request(), {kPatience, source.get_token()});
  });
  ASSERT_TRUE(broker_.await_seen(MessageType::submit));
  source.request_stop();
  const auto stopped = submitting.get();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().failure, CallFailure::stopped);
  ASSERT_TRUE(stopped.error().maybe_accepted);
  broker_.release();
  TaskRequest again = request();
  again.id = stopped.error().maybe_accepted;
  EXPECT_EQ(submitted(again), *again.id);
  EXPECT_EQ(broker_.task_count(), 1U);
}

TEST_F(ClientTest, StatusIsInTheOrderAskedForAndListingPages) {
  const auto ids = submitted(600);
  std::vector<TaskId> reversed(ids.rbegin(), ids.rend());
  const auto statuses = client_.status(reversed);
  ASSERT_TRUE(statuses);
  ASSERT_EQ(statuses->rows.size(), 600U);
  EXPECT_EQ(statuses->rows[0].id, reversed[0]);
  EXPECT_EQ(statuses->rows[599].id, reversed[599]);

  submitted(5, "lammps");
  std::vector<TaskId> listed;
  TaskListing listing = client_.list(QueryFilter{{}, {}, {}, "shell"});
  while (const TaskRow* row = listing.next()) listed.push_back(row->id);
  EXPECT_FALSE(listing.error());
  EXPECT_EQ(listing.next(), nullptr);
  std::sort(listed.begin(), listed.end());
  EXPECT_EQ(listed, ids);
}

TEST_F(ClientTest, ATaskThatWentToTheHistoryBetweenTwoPagesIsListedOnce) {
  const auto page = [this](const std::string& cursor, std::vector<std::uint64_t> numbers,
                           TaskState state, const std::string& next) {
    broker_.answer_next(MessageType::query, [=](const Message& request) -> Message {
      EXPECT_EQ(std::get<Query>(request).cursor, cursor);
      Rows rows;
      for (const std::uint64_t number : numbers) {
        rows.rows.emplace_back();
        rows.rows.back().id = TaskId(1, number);
        rows.rows.back().state = state;
      }
      rows.next = next;
      return rows;
    });
  };
  page("", {9, 8}, TaskState::success, "m8");
  page("m8", {7, 6}, TaskState::running, "h");
  page("h", {9, 8, 6, 5}, TaskState::success, "");
  std::vector<std::uint64_t> listed;
  TaskListing listing = client_.list();
  while (const TaskRow* row = listing.next()) listed.push_back(row->id.low());
  EXPECT_EQ(listed, (std::vector<std::uint64_t>{9, 8, 7, 6, 5}));
}

TEST_F(ClientTest, AListingEndsWithTheErrorOfAPage) {
  submitted(1);
  broker_.answer_next(MessageType::query, [](const Message&) {
    return ErrorReply{Error{ErrorCode::invalid, "bad cursor", "cursor"}};
  });
  TaskListing listing = client_.list();
  EXPECT_EQ(listing.next(), nullptr);
  ASSERT_TRUE(listing.error());
  EXPECT_TRUE(listing.error()->is(ErrorCode::invalid));
}

TEST_F(ClientTest, ListsOfWorkersAndToolsAreReadPageByPage) {
  const auto worker_page = [this](const std::string& cursor, const std::string& name,
                                  const std::string& next) {
    broker_.answer_next(MessageType::workers, [=](const Message& request) -> Message {
      EXPECT_EQ(std::get<WorkersRequest>(request).cursor, cursor);
      WorkerRow row;
      row.name = name;
      return WorkersReply{{row}, next};
    });
  };
  worker_page("", "one", "1");
  worker_page("1", "two", "2");
  worker_page("2", "three", "");
  const auto workers = client_.workers();
  ASSERT_TRUE(workers) << workers.error().text();
  ASSERT_EQ(workers->size(), 3U);
  EXPECT_EQ(workers->back().name, "three");

  broker_.answer_next(MessageType::tools, [](const Message&) -> Message {
    ToolsReply page;
    page.tools.resize(1);
    page.tools[0].offer.name = "a";
    page.next = "a";
    return page;
  });
  broker_.answer_next(MessageType::tools, [](const Message& request) -> Message {
    EXPECT_EQ(std::get<ToolsRequest>(request).cursor, "a");
    return ToolsReply{};
  });
  const auto tools = client_.tools();
  ASSERT_TRUE(tools) << tools.error().text();
  EXPECT_EQ(tools->size(), 1U);
}

TEST_F(ClientTest, CancelTellsWhetherTheTaskWasLive) {
  const TaskId id = submitted();
  EXPECT_EQ(client_.cancel(id), true);
  EXPECT_EQ(client_.cancel(id), false);
  EXPECT_EQ(client_.cancel(id, Millis(-1)).error().error.field, "grace_ms");
  const auto workflow = client_.submit_workflow({"w", {}, {{request(), {}}, {request(), {}}}});
  ASSERT_TRUE(workflow);
  const auto codes = client_.cancel_workflow(workflow->id);
  ASSERT_TRUE(codes);
  EXPECT_EQ(codes->size(), 2U);
}

TEST_F(ClientTest, TheClusterDescribesItself) {
  EXPECT_EQ(client_.tools()->at(0).offer.name, "shell");
  EXPECT_EQ(client_.workers()->at(0).name, "fake-worker");
  EXPECT_TRUE(client_.health()->healthy);
}

TEST_F(ClientTest, AnUnreadableAnswerIsAnErrorOfItsCallOnly) {
  broker_.garble_next(MessageType::health);
  const auto health = client_.health();
  ASSERT_FALSE(health);
  EXPECT_TRUE(health.error().is(ErrorCode::malformed));
  EXPECT_TRUE(client_.health());
}

TEST_F(ClientTest, LogsAreReadAndFollowed) {
  const TaskId id = submitted();
  const std::string text(200'000, 'a');
  broker_.write_log(id, text);
  std::string read;
  const auto append = [&read](const LogChunk& chunk) {
    EXPECT_EQ(chunk.offset, read.size());
    read += chunk.data;
  };
  auto end = client_.fetch_log(id, LogStream::out, 0, false, append, patient_);
  ASSERT_TRUE(end) << end.error().text();
  EXPECT_EQ(read, text);
  EXPECT_FALSE(end->complete);
  EXPECT_EQ(end->next_offset, text.size());

  read.clear();
  auto following = in_background(
      [&] { return client_.fetch_log(id, LogStream::out, 0, true, append, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::fetch, 8));
  broker_.write_log(id, "more");
  broker_.finish(id, TaskState::success);
  end = following.get();
  ASSERT_TRUE(end) << end.error().text();
  EXPECT_TRUE(end->complete);
  EXPECT_EQ(read, text + "more");
}

TEST_F(ClientTest, AFollowedLogGoesOnWithTheNextAttemptFromItsBeginning) {
  const TaskId id = submitted();
  broker_.write_log(id, "a long output of the first attempt");
  std::vector<std::pair<Attempt, std::string>> read;
  const auto note = [&read](const LogChunk& chunk) {
    if (read.empty() || read.back().first != chunk.attempt) read.emplace_back(chunk.attempt, "");
    EXPECT_EQ(chunk.offset, read.back().second.size());
    read.back().second += chunk.data;
  };
  auto following =
      in_background([&] { return client_.fetch_log(id, LogStream::out, 0, true, note, patient_); });
  ASSERT_TRUE(broker_.await_seen(MessageType::fetch, 3));  // caught up, and follows
  broker_.try_again(id);
  broker_.write_log(id, "a short");
  broker_.write_log(id, " one");
  broker_.finish(id, TaskState::success);
  const auto end = following.get();
  ASSERT_TRUE(end) << end.error().text();
  EXPECT_TRUE(end->complete);
  EXPECT_EQ(end->next_offset, 11U);
  EXPECT_THAT(read, ::testing::ElementsAre(
                        std::pair(Attempt(1), std::string("a long output of the first attempt")),
                        std::pair(Attempt(2), std::string("a short one"))));
}

TEST_F(ClientTest, AnExceptionOfACallbackReachesTheCaller) {
  const TaskId id = submitted();
  broker_.write_log(id, "text");
  const auto throwing = [](const LogChunk&) { throw std::runtime_error("of the test"); };
  EXPECT_THROW((void)client_.fetch_log(id, LogStream::out, 0, true, throwing), std::runtime_error);
  std::string read;
  const auto append = [&read](const LogChunk& chunk) { read += chunk.data; };
  EXPECT_TRUE(client_.fetch_log(id, LogStream::out, 0, false, append));  // the first has ended
  EXPECT_EQ(read, "text");
}

TEST(ClientOptionsTest, BadOptionsAreReportedByTheFirstCall) {
  const auto field_of = [](ClientOptions options) {
    Client client(std::move(options));
    return client.health().error().error.field;
  };
  ClientOptions options;
  options.broker = "no such://thing";
  EXPECT_EQ(field_of(options), "broker");
  options = {};
  options.events = ":x";
  EXPECT_EQ(field_of(options), "events");
  options = {};
  options.user = std::string(500, 'u');
  EXPECT_EQ(field_of(options), "user");
  options = {};
  options.connect_timeout = Millis(-1);
  EXPECT_EQ(field_of(options), "connect_timeout");
}

}  // namespace
}  // namespace taskpipe::testing
