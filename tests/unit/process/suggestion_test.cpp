#include "common/process/suggestion.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace taskpipe::process {
namespace {

const std::vector<std::string>& names() {
  static const std::vector<std::string> kNames = {"bind", "lease", "log-level", "log-format",
                                                  "history-folder"};
  return kNames;
}

TEST(Suggestion, FindsSlipsOfTheFingers) {
  EXPECT_EQ(nearest_name("bnid", names()), "bind");     // swap
  EXPECT_EQ(nearest_name("bin", names()), "bind");      // missing
  EXPECT_EQ(nearest_name("leasse", names()), "lease");  // doubled
  EXPECT_EQ(nearest_name("leaze", names()), "lease");   // wrong
  EXPECT_EQ(nearest_name("loglevel", names()), "log-level");
  EXPECT_EQ(nearest_name("log_format", names()), "log-format");
}

TEST(Suggestion, TakesTheNearestOfSeveral) {
  EXPECT_EQ(nearest_name("worker", {"workers", "works", "broker"}), "workers");
}

TEST(Suggestion, CompletesBeginningsThatAreUnique) {
  EXPECT_EQ(nearest_name("hist", names()), "history-folder");
  EXPECT_EQ(nearest_name("log", names()), "");
}

TEST(Suggestion, StaysSilentWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("colour", names()), "");
  EXPECT_EQ(nearest_name("", names()), "");
  EXPECT_EQ(nearest_name("x", names()), "");
  EXPECT_EQ(nearest_name("bind", {}), "");
  EXPECT_EQ(nearest_name(std::string(100'000, 'b'), names()), "");
}

}  // namespace
}  // namespace taskpipe::process
