#include "common/protocol/codec.hpp"
#include "common/model/limits.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "common/protocol/batch.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol {
namespace {

using samples::frames_of;
using samples::Sample;

class EverySample : public testing::TestWithParam<Sample> {};

TEST_P(EverySample, SurvivesTheRoundTrip) {
  const Sample& sample = GetParam();
  const auto encoded = encode(sample.message, Correlation(11), SessionId(12), sample.flags);
  ASSERT_TRUE(encoded.has_value()) << encoded.error().text;
  const auto decoded = decode(frames_of(*encoded));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_EQ(decoded->header.type, static_cast<std::uint8_t>(type_code(sample.message)));
  EXPECT_EQ(decoded->header.flags, sample.flags);
  EXPECT_EQ(decoded->header.blob_count, encoded->blobs.size());
  EXPECT_EQ(decoded->header.correlation, Correlation(11));
  EXPECT_EQ(decoded->header.session, SessionId(12));
  EXPECT_TRUE(decoded->message == sample.message);
}

TEST_P(EverySample, EncodesToTheSameBytesAgain) {
  const auto first = encode(GetParam().message, Correlation(1), SessionId(2));
  const auto decoded = decode(frames_of(*first));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  const auto second = encode(decoded->message, Correlation(1), SessionId(2));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(first->header, second->header);
  EXPECT_EQ(first->body, second->body);
  EXPECT_EQ(first->blobs, second->blobs);
}

std::string test_name(const testing::TestParamInfo<Sample>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (c == ' ') c = '_';
  }
  return name;
}
INSTANTIATE_TEST_SUITE_P(Codec, EverySample, testing::ValuesIn(samples::all()), test_name);

TEST(Codec, SamplesCoverEveryMessageTwice) {
  std::map<std::size_t, int> counts;
  for (const auto& sample : samples::all()) ++counts[sample.message.index()];
  EXPECT_EQ(counts.size(), std::variant_size_v<MessageVariant>);
  for (const auto& [index, count] : counts) EXPECT_GE(count, 2) << index;
}

TEST(Codec, BlobsAreHandedOnWithoutCopying) {
  const Payload large = samples::large_payload();
  Submit submit{{samples::minimal_spec()}, {{samples::task_id(0), 0, large, {}}}};
  const auto encoded = encode(submit, Correlation(), SessionId());
  ASSERT_TRUE(encoded.has_value());
  ASSERT_EQ(encoded->blobs.size(), 1U);
  EXPECT_EQ(encoded->blobs[0].bytes().data(), large.bytes().data());
}

TEST(Codec, NothingDecodedRefersToTheFrames) {
  const Submit submit{{samples::full_spec()},
                      {{samples::task_id(0), 0, samples::large_payload(), {}}}};
  const auto encoded = encode(submit, Correlation(), SessionId());
  std::vector<std::string> storage;
  for (const auto frame : frames_of(*encoded)) {
    storage.emplace_back(reinterpret_cast<const char*>(frame.data()), frame.size());
  }
  std::vector<FrameView> frames;
  for (const auto& frame : storage) frames.push_back(samples::view(frame));
  const auto decoded = decode(frames);
  ASSERT_TRUE(decoded.has_value());
  for (auto& frame : storage) frame.assign(frame.size(), '\xff');
  EXPECT_TRUE(std::get<Submit>(decoded->message) == submit);
}

TEST(Codec, LabelsAndResourcesArriveSorted) {
  TaskSpec spec = *samples::full_spec();
  std::swap(spec.labels[0], spec.labels[1]);
  std::swap(spec.resources.named[0], spec.resources.named[1]);
  spec.resources.named.push_back({"unused", 0});
  const Submit submit{{std::make_shared<const TaskSpec>(spec)}, {}};
  const auto decoded = decode(frames_of(*encode(submit, Correlation(), SessionId())));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_EQ(*std::get<Submit>(decoded->message).specs[0], *samples::full_spec());
}

TEST(Codec, SentencesForPeopleAreCutAndRepaired) {
  Outcome outcome;
  outcome.reason = std::string(limits::kMaxTextBytes - 1, 'a') + "ü and more";
  const Result result{{{samples::attempt(0), outcome}}};
  const auto decoded = decode(frames_of(*encode(result, Correlation(), SessionId())));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_EQ(std::get<Result>(decoded->message).items[0].outcome.reason,
            std::string(limits::kMaxTextBytes - 1, 'a'));

  const Progress progress{{{samples::attempt(0), 1.0, "bad \xff byte", {}}}};
  const auto repaired = decode(frames_of(*encode(progress, Correlation(), SessionId())));
  ASSERT_TRUE(repaired.has_value()) << repaired.error().text;
  EXPECT_EQ(std::get<Progress>(repaired->message).items[0].message, "bad \xef\xbf\xbd byte");
}

TEST(Codec, MetricsMayBeInfinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Progress progress{{{samples::attempt(0), 0.0, "", {{"residual", infinity}}}}};
  const auto decoded = decode(frames_of(*encode(progress, Correlation(), SessionId())));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
  EXPECT_TRUE(std::get<Progress>(decoded->message) == progress);
}

TEST(Codec, EventsSurviveThePubChannel) {
  for (const auto& sample : samples::events()) {
    const Events& events = std::get<Events>(sample.message);
    const auto encoded = encode_events("task.lammps.", events);
    EXPECT_EQ(encoded.topic, "task.lammps.");
    const auto decoded = decode_events(encoded.position, samples::view(encoded.body));
    ASSERT_TRUE(decoded.has_value()) << decoded.error().text;
    EXPECT_EQ(*decoded, events);
  }
}

TEST(Codec, EventsBeyondABoundLeaveTheSequenceWhole) {
  Events events;
  events.epoch = Epoch(1);
  events.prev_seq = 2;
  events.seq = 3;
  events.tasks.resize(limits::kMaxBatchItems + 1);
  const auto encoded = encode_events("task.x.", events);
  const auto decoded = decode_events(encoded.position, samples::view(encoded.body));
  ASSERT_TRUE(decoded.has_value());
  events.tasks.clear();
  EXPECT_EQ(*decoded, events);
}

// The bound of all items together must cover what the message really takes.
template <class Items>
std::size_t bound_of(const Items& items) {
  std::size_t sum = 16;  // head of the body and of its list
  for (const auto& item : items) sum += encoded_size_bound(item);
  return sum;
}

std::size_t real_size(const Message& message) {
  const auto encoded = encode(message, Correlation(), SessionId());
  std::size_t sum = encoded->body.size();
  for (const auto& blob : encoded->blobs) sum += blob.size();
  return sum;
}

std::size_t bound_of(const Message& message) {
  if (const auto* submit = std::get_if<Submit>(&message)) {
    std::size_t sum = bound_of(submit->items);
    for (const auto& spec : submit->specs) sum += encoded_size_bound(*spec);
    return sum;
  }
  if (const auto* tasks = std::get_if<Tasks>(&message)) {
    std::size_t sum = bound_of(tasks->items);
    for (const auto& spec : tasks->specs) sum += encoded_size_bound(*spec);
    return sum;
  }
  if (const auto* result = std::get_if<Result>(&message)) return bound_of(result->items);
  if (const auto* progress = std::get_if<Progress>(&message)) return bound_of(progress->items);
  if (const auto* log = std::get_if<Log>(&message)) return bound_of(log->items);
  return 0;
}

TEST(Codec, SizeBoundsAreNotTooSmallAndNotAbsurd) {
  int checked = 0;
  for (const auto& sample : samples::all()) {
    const std::size_t bound = bound_of(sample.message);
    if (bound == 0) continue;
    ++checked;
    EXPECT_GE(bound, real_size(sample.message)) << sample.name;
    EXPECT_LE(bound, 3 * real_size(sample.message) + 64) << sample.name;
  }
  EXPECT_EQ(checked, 11);
  DoneTask done;
  done.worker = std::string(100, 'w');
  done.outcome.reason = std::string(3000, '\xff');
  done.outcome.report = samples::large_payload();
  EXPECT_GE(encoded_size_bound(done) + 16, real_size(Done{{done}, {}, {}, {}}));
}

TEST(BatchBudget, ClosesAtItemsBlobsAndBytes) {
  BatchBudget by_items;
  for (std::size_t i = 0; i < limits::kMaxBatchItems; ++i) EXPECT_TRUE(by_items.take(1, 0));
  EXPECT_FALSE(by_items.take(1, 0));
  BatchBudget by_blobs;
  for (std::size_t i = 0; i < limits::kMaxBlobs; ++i) EXPECT_TRUE(by_blobs.take(1, 1));
  EXPECT_FALSE(by_blobs.take(1, 1));
  EXPECT_TRUE(by_blobs.take(1, 0));
  BatchBudget by_bytes;
  EXPECT_TRUE(by_bytes.take(limits::kMaxBatchBytes, 0));
  EXPECT_FALSE(by_bytes.take(1, 0));
  EXPECT_EQ(by_bytes.items(), 1U);
}

TEST(BatchBudget, OneItemAloneAlwaysFits) {
  BatchBudget budget;
  EXPECT_TRUE(budget.empty());
  EXPECT_TRUE(budget.take(limits::kMaxPayloadBytes, 1));
  EXPECT_FALSE(budget.take(0, 0));
}

}  // namespace
}  // namespace taskpipe::protocol
