// The cluster folder and the join files it gives out.
#include "common/security/cluster_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/security/join_file.hpp"
#include "tests/support/temporary_folder.hpp"

namespace taskpipe::security {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClusterFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto made = make_cluster({cluster_, "sim.example.org", "ann"});
    ASSERT_TRUE(made) << made.error().text;
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> found;
    const auto peers = load_peers(cluster_);
    for (const auto& peer : peers->admitted) found.push_back(peer.name);
    return found;
  }

  testing::TemporaryFolder folder_;
  fs::path cluster_ = folder_.path() / "cluster";
};

TEST_F(ClusterFolderTest, ItAdmitsAnAdminAWorkerAndAClient) {
  EXPECT_THAT(names(), ElementsAre("admin", "client", "worker"));
  const auto peers = load_peers(cluster_);
  EXPECT_EQ(peers->admitted[0].role, Role::admin);
  EXPECT_EQ(peers->admitted[1].user, "ann");
  EXPECT_EQ(peers->admitted[2].role, Role::worker);
  EXPECT_TRUE(peers->problems.empty());
}

TEST_F(ClusterFolderTest, AJoinFileHasAllThatItsPeerNeeds) {
  const auto join = read_join_file(cluster_ / "join/worker.join");
  ASSERT_TRUE(join) << join.error().text;
  EXPECT_EQ(join->role, Role::worker);
  EXPECT_EQ(join->workers, "tcp://sim.example.org:7611");
  EXPECT_EQ(join->clients, "tcp://sim.example.org:7610");
  EXPECT_EQ(join->server_key, load_broker_keys(cluster_)->public_key);
  EXPECT_EQ(join->keys.public_key, load_peers(cluster_)->admitted[2].key);
}

TEST_F(ClusterFolderTest, AFolderIsMadeOnce) {
  const auto again = make_cluster({cluster_, "", "ann"});
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().text, HasSubstr("exists"));
  EXPECT_TRUE(read_join_file(cluster_ / "join/worker.join"));
}

TEST_F(ClusterFolderTest, APeerIsAddedOnceAndItsNameIsNoPath) {
  EXPECT_TRUE(add_peer(cluster_, {"node7", "", Role::worker, {}, {}}));
  EXPECT_FALSE(add_peer(cluster_, {"node7", "", Role::worker, {}, folder_.path() / "other"}));
  EXPECT_FALSE(fs::exists(folder_.path() / "other"))
      << "a join file for a key that is not admitted";
  for (const char* bad : {"", "../x", "a/b", ".hidden", "a b", "a\nb"}) {
    EXPECT_FALSE(add_peer(cluster_, {bad, "", Role::client, {}, {}})) << bad;
  }
  EXPECT_FALSE(add_peer(cluster_, {"x", "a\"\n    role = \"admin", Role::client, {}, {}}));
}

TEST_F(ClusterFolderTest, AFileThatIsWrongAdmitsNobodyAndHarmsNobody) {
  std::ofstream(cluster_ / "peers/odd.key") << "metadata\n    user = \"x\"\n    role = \"king\"\n";
  std::ofstream(cluster_ / "peers/note.txt") << "not looked at";
  EXPECT_THAT(names(), ElementsAre("admin", "client", "worker"));
  EXPECT_THAT(load_peers(cluster_)->problems, ElementsAre(HasSubstr("odd.key")));
}

TEST_F(ClusterFolderTest, AKeyInTwoFilesIsNobodys) {
  fs::copy_file(cluster_ / "peers/worker.key", cluster_ / "peers/copy.key");
  EXPECT_THAT(names(), ElementsAre("admin", "client"));
  EXPECT_EQ(load_peers(cluster_)->problems.size(), 2U);
}

TEST_F(ClusterFolderTest, ASecretNeedNotTravel) {
  const fs::path own = folder_.path() / "own";
  ASSERT_TRUE(make_own_keys(own, "dora"));
  const auto key = read_public_key((own / "dora.key").string());
  ASSERT_TRUE(key);
  EXPECT_EQ(*read_public_key(key->z85()), *key);
  const auto join = add_peer(cluster_, {"dora", "dora", Role::client, *key, own / "dora.join"});
  ASSERT_TRUE(join) << join.error().text;
  EXPECT_EQ(read_join_file(*join)->keys.public_key, *key);
  fs::remove(own / "dora.key_secret");
  EXPECT_THAT(read_join_file(*join).error().text, HasSubstr("dora.key_secret"));
}

TEST_F(ClusterFolderTest, AFolderThatIsGoneIsAnError) {
  EXPECT_FALSE(load_peers(folder_.path() / "nowhere"));
  EXPECT_THAT(load_broker_keys(folder_.path() / "nowhere").error().text,
              HasSubstr("taskpipe-broker init"));
}

}  // namespace
}  // namespace taskpipe::security
