// The shipped manifests are well-formed wherever the tests run, with or without the solvers;
// tests/integration/solvers runs them.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "tests/unit/tools/temporary_folder.hpp"
#include "worker/tools/manifest.hpp"
#include "worker/tools/script_folders.hpp"

namespace taskpipe::worker {
namespace {

TEST(Toolbox, HoldsValidManifestsWithScripts) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(TASKPIPE_TOOLBOX_DIR)) {
    if (entry.path().extension() != ".toml") continue;
    const auto manifest = read_manifest(entry.path());
    ASSERT_TRUE(manifest) << manifest.error().text;
    EXPECT_EQ(manifest->name, entry.path().stem().string());
    EXPECT_FALSE(manifest->description.empty()) << manifest->name;
    const auto listing = ScriptFolders(manifest->script_folders, manifest->script_patterns).list();
    EXPECT_FALSE(listing.scripts.empty()) << manifest->name;
    EXPECT_TRUE(listing.remarks.empty()) << manifest->name;
    names.insert(manifest->name);
  }
  EXPECT_EQ(names, (std::set<std::string>{"fenicsx", "lammps", "openfoam", "python", "shell"}));
}

// It is not among those: workers do not look into subfolders.
TEST(Toolbox, ShowsAValidManifestWithAnImage) {
  const auto manifest = read_manifest(TASKPIPE_TOOLBOX_DIR "/examples/container.toml");
  ASSERT_TRUE(manifest) << manifest.error().text;
  EXPECT_TRUE(manifest->container);
}

// The manifest that docs/tools.md begins with, taken out of its text.
TEST(ToolsDocument, ShowsAValidManifest) {
  const std::string text = read_text(TASKPIPE_TOOLS_DOCUMENT);
  const std::string begin = "```toml\n";
  const auto from = text.find(begin);
  ASSERT_NE(from, std::string::npos);
  const auto end = text.find("```", from + begin.size());
  const auto manifest = parse_manifest(text.substr(from + begin.size(), end - from - begin.size()),
                                       "/etc/taskpipe/tools/heat.toml");
  ASSERT_TRUE(manifest) << manifest.error().text;
  EXPECT_EQ(manifest->name, "heat");
}

}  // namespace
}  // namespace taskpipe::worker
