#include "client/cli/event_topics.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

using ::testing::HasSubstr;

const std::string kId(32, 'a');

TEST(ReadTopic, EndsInADot) {
  EXPECT_EQ(*read_topic("task"), "task.");
  EXPECT_EQ(*read_topic("worker."), "worker.");
  EXPECT_EQ(*read_topic("progress.lammps"), "progress.lammps.");
  EXPECT_EQ(*read_topic("workflow." + kId), "workflow." + kId + ".");
  EXPECT_EQ(*read_topic("id." + kId + "."), "id." + kId + ".");
}

TEST(ReadTopic, WhatNoEventCanHaveIsRefused) {
  for (const char* text : {"", ".", "lammps", "tasks.lammps", "task lammps", "TASK", "worker.a",
                           "heartbeat.1", "id.0123", "workflow.mine"}) {
    const auto topic = read_topic(text);
    ASSERT_FALSE(topic.has_value()) << text;
    EXPECT_THAT(topic.error().text, HasSubstr("--topic: '" + std::string(text) + "'"));
    EXPECT_EQ(topic.error().field, "topic");
  }
  EXPECT_THAT(read_topic("progess.lammps").error().text, HasSubstr("did you mean 'progress'?"));
}

}  // namespace
}  // namespace taskpipe::cli
