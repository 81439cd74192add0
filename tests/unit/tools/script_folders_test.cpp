#include "worker/tools/script_folders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/unit/tools/temporary_folder.hpp"

namespace taskpipe::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names_of(const ScriptFolders::Listing& listing) {
  std::vector<std::string> names;
  for (const auto& script : listing.scripts) names.push_back(script.name);
  return names;
}

TEST(Sha256, HashesAFile) {
  const TemporaryFolder folder;
  const auto hash = sha256_of_file(folder.write("abc", "abc"));
  ASSERT_TRUE(hash);
  EXPECT_EQ(*hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_FALSE(sha256_of_file(folder.path() / "absent"));
}

TEST(ScriptFolders, ListsMatchingFilesOfAllFolders) {
  const TemporaryFolder folder;
  folder.write("one/b.py", "1");
  folder.write("one/deep/er/a.py", "2");
  folder.write("one/readme.txt", "no");
  folder.write("one/.hidden.py", "no");
  folder.write("one/.git/c.py", "no");
  folder.write("two/b.py", "second of its name");
  folder.write("two/z.py", "3");
  const ScriptFolders scripts({folder.path() / "one", folder.path() / "two"}, {"*.py"});
  const auto listing = scripts.list();
  EXPECT_THAT(names_of(listing), ElementsAre("b.py", "deep/er/a.py", "z.py"));
  EXPECT_EQ(listing.scripts[0].sha256, *sha256_of_file(folder.path() / "one/b.py"));
  EXPECT_TRUE(listing.remarks.empty());
  EXPECT_EQ(scripts.resolve("b.py"), folder.path() / "one/b.py");
  EXPECT_EQ(scripts.resolve("deep/er/a.py"), folder.path() / "one/deep/er/a.py");
}

TEST(ScriptFolders, FindsScriptsThatWereAddedLater) {
  const TemporaryFolder folder;
  const ScriptFolders scripts({folder.path()}, {"*.py"});
  EXPECT_FALSE(scripts.resolve("new.py"));
  const auto file = folder.write("new.py", "");
  EXPECT_EQ(scripts.resolve("new.py"), file);
}

TEST(ScriptFolders, StaysInsideItsFolders) {
  const TemporaryFolder folder;
  folder.write("secret.py", "outside");
  folder.write("in/real.py", "inside");
  folder.write("in/data.txt", "another pattern");
  std::filesystem::create_symlink(folder.path() / "secret.py", folder.path() / "in/out.py");
  std::filesystem::create_symlink(folder.path() / "in/real.py", folder.path() / "in/alias.py");
  std::filesystem::create_symlink(folder.path(), folder.path() / "in/up");
  std::filesystem::create_symlink("loop.py", folder.path() / "in/loop.py");
  const ScriptFolders scripts({folder.path() / "in"}, {"*.py"});

  EXPECT_EQ(scripts.resolve("alias.py"), folder.path() / "in/real.py");
  for (const char* name : {"out.py", "up/secret.py", "loop.py", "../secret.py", "./real.py",
                           "/etc/passwd", "", "data.txt", "real.py/", "in//real.py", "real.py\n"}) {
    const auto path = scripts.resolve(name);
    ASSERT_FALSE(path) << name;
    EXPECT_EQ(path.error().code, ErrorCode::invalid) << name;
    EXPECT_EQ(path.error().field, "script") << name;
  }
  EXPECT_FALSE(scripts.resolve(std::string_view("real.py\0x", 9)));
  const auto listing = scripts.list();
  EXPECT_THAT(names_of(listing), ElementsAre("alias.py", "real.py"));
  EXPECT_THAT(listing.remarks, ElementsAre(HasSubstr("out.py leads out")));
}

TEST(ScriptFolders, DoesNotListNamesThatCannotBeShown) {
  const TemporaryFolder folder;
  folder.write("new\nline.py", "");
  folder.write("bytes\xff.py", "");
  folder.write("good.py", "");
  const auto listing = ScriptFolders({folder.path()}, {"*"}).list();
  EXPECT_THAT(names_of(listing), ElementsAre("good.py"));
  EXPECT_THAT(listing.remarks,
              testing::UnorderedElementsAre(HasSubstr("new?line.py"), HasSubstr("bytes?.py")));
}

TEST(ScriptFolders, AcceptsAFolderThatIsItselfALink) {
  const TemporaryFolder folder;
  folder.write("real/a.py", "");
  std::filesystem::create_directory_symlink(folder.path() / "real", folder.path() / "link");
  const ScriptFolders scripts({folder.path() / "link"}, {"*.py"});
  EXPECT_EQ(scripts.resolve("a.py"), folder.path() / "real/a.py");
  EXPECT_THAT(names_of(scripts.list()), ElementsAre("a.py"));
}

TEST(ScriptFolders, HelpsWithUnknownNames) {
  const TemporaryFolder folder;
  folder.write("poisson.py", "");
  folder.write("heat.py", "");
  const ScriptFolders scripts({folder.path()}, {"*.py"});
  EXPECT_THAT(scripts.resolve("possion.py").error().text, HasSubstr("did you mean 'poisson.py'?"));
  EXPECT_THAT(scripts.resolve("elasticity-3d.py").error().text,
              HasSubstr("available: heat.py, poisson.py"));
  EXPECT_THAT(ScriptFolders({}, {"*"}).resolve("a.py").error().text, HasSubstr("has none"));
}

TEST(ScriptFolders, RemarksOnWhatCannotBeRead) {
  const TemporaryFolder folder;
  const ScriptFolders scripts({folder.path() / "absent"}, {"*"});
  EXPECT_THAT(scripts.list().remarks, ElementsAre(HasSubstr("No such file")));
  EXPECT_TRUE(scripts.list().scripts.empty());
}

}  // namespace
}  // namespace taskpipe::worker
