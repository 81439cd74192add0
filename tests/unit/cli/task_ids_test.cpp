#include "client/cli/task_ids.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace taskpipe::cli {
namespace {

TEST(ClassifyId, WholePrefixOrNeither) {
  EXPECT_EQ(classify_id(std::string(32, 'a')), IdText::whole);
  EXPECT_EQ(classify_id("019a3f0c"), IdText::prefix);
  EXPECT_EQ(classify_id("019A3F0C55"), IdText::prefix);
  EXPECT_EQ(classify_id("019a3f0"), IdText::neither);
  EXPECT_EQ(classify_id(""), IdText::neither);
  EXPECT_EQ(classify_id("019a3f0x"), IdText::neither);
  EXPECT_EQ(classify_id(std::string(33, 'a')), IdText::neither);
  EXPECT_EQ(classify_id("lammps"), IdText::neither);
}

TEST(IdsText, CutsLongLists) {
  EXPECT_EQ(ids_text({TaskId(0, 1)}), std::string(31, '0') + "1");
  const std::string text = ids_text(std::vector<TaskId>(100));
  EXPECT_LT(text.size(), 400U);
  EXPECT_TRUE(text.ends_with(" …"));
}

TEST(LabelOf, ToolAndScript) {
  EXPECT_EQ(label_of("lammps", "in.melt"), "lammps in.melt");
  EXPECT_EQ(label_of("bash", ""), "bash");
}

}  // namespace
}  // namespace taskpipe::cli
