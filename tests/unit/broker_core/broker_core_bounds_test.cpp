// What one message and one session may make the broker hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/broker_core/broker_core_fixture.hpp"

namespace taskpipe::broker::testing {
namespace {

class BrokerCoreBoundsTest : public BrokerCoreTest {
 protected:
  static constexpr WorkflowId kWorkflow{1, 7};

  // `count` tasks from `first` on, each with a spec of its own.
  static SubmitWorkflow part_of(std::uint32_t total, std::uint32_t first, std::uint32_t count) {
    SubmitWorkflow part;
    part.id = kWorkflow;
    part.total = total;
    part.first_index = first;
    for (std::uint32_t i = 0; i < count; ++i) {
      part.specs.push_back(spec_of("tool"));
      part.items.push_back({id(first + i), i, Payload(), {}});
      part.dependencies.emplace_back();
    }
    return part;
  }
  static TaskSpecPtr labelled_spec(const std::string& first_value) {
    auto spec = std::make_shared<TaskSpec>(*spec_of("tool"));
    for (std::size_t i = 0; i < limits::kMaxLabels; ++i) {
      spec->labels.push_back({std::to_string(100 + i), std::string(limits::kMaxTextBytes, 'x')});
    }
    spec->labels[0].value = first_value;
    return spec;
  }
  WorkflowAck send_part(SubmitWorkflow part) {
    cluster_.say(kClient, client_, std::move(part));
    const auto acks = cluster_.take_all<WorkflowAck>(kClient);
    return acks.size() == 1 ? acks[0] : WorkflowAck{};
  }
};

TEST_F(BrokerCoreBoundsTest, ATaskNamedTwiceInACancelIsRecordedOnce) {
  connect(1);
  submit(spec_of("tool"), {id(0)});
  cluster_.say(kClient, client_, Cancel{{id(0), id(0)}, {}, 0});
  EXPECT_EQ(cluster_.take_all<CancelAck>(kClient).at(0).items.size(), 2U);
  std::size_t requested = 0;
  for (const auto& [lsn, record] : cluster_.journal()) {
    if (const auto* cancel = std::get_if<record::CancelRequested>(&record)) {
      requested += cancel->items.size();
    }
  }
  EXPECT_EQ(requested, 1U);
}

}  // namespace
}  // namespace taskpipe::broker::testing
