#include "broker/store/blob_store.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "common/process/sha256.hpp"

namespace taskpipe::broker {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kStart = 1'800'000'000'000;

std::string hash_of(const std::string& content) { return process::sha256_hex(content); }

class BlobStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "blob-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    options.data_dir = name;
    options.quota_bytes = 1000;
    options.headroom_bytes = 0;
    open();
  }
  void TearDown() override {
    store.reset();
    fs::remove_all(options.data_dir);
  }

  // As after a crash: what an open store holds only in memory is gone.
  void open() {
    store.reset();
    store = std::make_unique<BlobStore>(options, now);
  }
  void pass(std::int64_t ms) {
    now.unix_ms += ms;
    store->set_now(now);
  }
  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }
  // All of it, safely; the error otherwise.
  tl::expected<void, Error> put(const std::string& content) {
    const std::string sha = hash_of(content);
    auto begun = store->begin_put(sha, content.size(), true);
    if (!begun) return tl::unexpected(begun.error());
    if (begun->what == BlobAccess::Begin::have) return {};
    while (store->verifying()) static_cast<void>(store->verify_some());
    if (auto done = store->append(sha, bytes(content).subspan(begun->offset)); !done) return done;
    if (auto done = store->complete(sha); !done) return done;
    const auto stored = store->commit();
    return stored.size() == 1 ? stored[0].result
                              : tl::unexpected(Error{ErrorCode::invalid, "not committed", {}});
  }
  bool has(const std::string& content) { return store->look_up(hash_of(content)).has_value(); }
  std::string partial(const std::string& content) {
    return options.data_dir + "/blobs/partial/" + hash_of(content);
  }
  static void write(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }

  BlobStoreOptions options;
  WallTime now{kStart};
  std::unique_ptr<BlobStore> store;
};

TEST_F(BlobStoreTest, WhatIsStoredIsReadBackAlsoAfterARestart) {
  const std::string content = "a file";
  ASSERT_TRUE(put(content));
  open();
  EXPECT_EQ(store->look_up(hash_of(content)).value(), content.size());
  EXPECT_EQ(store->read(hash_of(content), 2, 4)->text(), "file");
  EXPECT_EQ(store->usage().used_bytes, content.size());
}

TEST_F(BlobStoreTest, TheSameContentIsNotTakenTwice) {
  ASSERT_TRUE(put("same"));
  const auto begun = store->begin_put(hash_of("same"), 4, false);
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->what, BlobAccess::Begin::have);
  EXPECT_FALSE(store->begin_put(hash_of("same"), 5, false)) << "another size";
}

TEST_F(BlobStoreTest, NothingHasItsNameBeforeItIsCommitted) {
  const std::string sha = hash_of("late");
  ASSERT_TRUE(store->begin_put(sha, 4, false));
  ASSERT_TRUE(store->append(sha, bytes("late")));
  EXPECT_FALSE(has("late"));
  ASSERT_TRUE(store->complete(sha));
  EXPECT_FALSE(has("late"));
  EXPECT_EQ(store->commit().size(), 1U);
  EXPECT_TRUE(has("late"));
  EXPECT_FALSE(fs::exists(partial("late")));
}

// A crash may come between any two steps.
TEST_F(BlobStoreTest, AnUploadGoesOnAfterACrashAtEachStep) {
  const std::string content = "0123456789";
  const std::string sha = hash_of(content);
  for (std::size_t written = 0; written <= content.size(); ++written) {
    ASSERT_TRUE(store->begin_put(sha, content.size(), false));
    while (store->verifying()) static_cast<void>(store->verify_some());
    ASSERT_TRUE(store->append(sha, bytes(content).subspan(0, written)));
    if (written == content.size()) {
      ASSERT_TRUE(store->complete(sha));
    }
    open();
    EXPECT_FALSE(has(content)) << written;
    EXPECT_EQ(store->usage().used_bytes, written) << "what is there counts";
    const auto begun = store->begin_put(sha, content.size(), false);
    ASSERT_TRUE(begun);
    EXPECT_EQ(begun->offset, written);
    EXPECT_EQ(begun->what,
              written == 0 ? BlobAccess::Begin::receive : BlobAccess::Begin::verifying);
    while (store->verifying()) static_cast<void>(store->verify_some());
    ASSERT_TRUE(store->append(sha, bytes(content).subspan(written)));
    ASSERT_TRUE(store->complete(sha)) << written;
    ASSERT_TRUE(store->commit().at(0).result);
    EXPECT_TRUE(has(content));
    open();
    EXPECT_TRUE(has(content));
    fs::remove_all(options.data_dir + "/blobs");
    open();
  }
}

TEST_F(BlobStoreTest, ATornPartialIsFoundOutAndBegunAnew) {
  const std::string content = "0123456789";
  write(partial(content), std::string(5, '\0'));  // as after a power loss
  open();
  EXPECT_EQ(put(content).error().field, "sha256");
  EXPECT_FALSE(fs::exists(partial(content)));
  EXPECT_TRUE(put(content));
  write(partial("short"), "longer than it may be");
  open();
  EXPECT_TRUE(put("short"));
}

TEST_F(BlobStoreTest, AWrongContentLeavesNothing) {
  const std::string sha = hash_of("right");
  ASSERT_TRUE(store->begin_put(sha, 5, false));
  ASSERT_TRUE(store->append(sha, bytes("wrong")));
  EXPECT_EQ(store->complete(sha).error().code, ErrorCode::invalid);
  EXPECT_FALSE(fs::exists(partial("right")));
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

TEST_F(BlobStoreTest, AnUploadCountsWithItsWholeSize) {
  ASSERT_TRUE(store->begin_put(hash_of("x"), 600, false));
  const auto second = store->begin_put(hash_of("y"), 600, true);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::storage);
  EXPECT_NE(second.error().text.find("--artifact-quota"), std::string::npos);
  store->leave(hash_of("x"));
  EXPECT_TRUE(store->begin_put(hash_of("y"), 600, true));
}

TEST_F(BlobStoreTest, WhatWasUsedLongestAgoMakesRoom) {
  options.grace = Millis(1000);
  open();
  const std::string first(400, '1');
  const std::string second(400, '2');
  const std::string third(400, '3');
  ASSERT_TRUE(put(first));
  pass(kHour);
  ASSERT_TRUE(put(second));
  pass(kHour);
  EXPECT_TRUE(has(first));  // a use: now the second is the oldest
  pass(kHour);
  const auto begun = store->begin_put(hash_of(third), third.size(), false);
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->what, BlobAccess::Begin::no_room);
  const auto candidates = store->candidates(true, 10);
  EXPECT_EQ(candidates, (std::vector{hash_of(second), hash_of(first)}));
  store->evict(candidates, {}, true);
  EXPECT_TRUE(put(third));
  EXPECT_TRUE(has(first));
  EXPECT_FALSE(has(second));
}

TEST_F(BlobStoreTest, WhatIsNeededOrWasJustUsedStays) {
  const std::string needed(400, 'n');
  const std::string fresh(400, 'f');
  ASSERT_TRUE(put(needed));
  pass(kHour);
  ASSERT_TRUE(put(fresh));
  ASSERT_TRUE(store->begin_put(hash_of("x"), 400, false));
  const auto candidates = store->candidates(true, 10);
  EXPECT_EQ(candidates, std::vector{hash_of(needed)}) << "within the grace time";
  store->evict(candidates, {hash_of(needed)}, true);
  EXPECT_TRUE(has(needed));
  EXPECT_TRUE(has(fresh));
  EXPECT_FALSE(store->begin_put(hash_of("x"), 400, true));
}

TEST_F(BlobStoreTest, RetentionEndsSoLongAfterTheLastUse) {
  options.retention = Millis(24 * kHour);
  open();
  ASSERT_TRUE(put("old"));
  pass(20 * kHour);
  ASSERT_TRUE(put("young"));
  EXPECT_TRUE(store->candidates(false, 10).empty());
  pass(5 * kHour);
  open();  // the time of a use survives
  EXPECT_EQ(store->candidates(false, 10), std::vector{hash_of("old")});
  store->evict(store->candidates(false, 10), {}, false);
  EXPECT_FALSE(has("old"));
  EXPECT_TRUE(has("young"));
}

TEST_F(BlobStoreTest, UnfinishedUploadsGoAfterADay) {
  ASSERT_TRUE(store->begin_put(hash_of("half"), 4, false));
  ASSERT_TRUE(store->append(hash_of("half"), bytes("ha")));
  store->leave(hash_of("half"));
  pass(23 * kHour);
  store->drop_old_partials();
  EXPECT_TRUE(fs::exists(partial("half")));
  pass(2 * kHour);
  store->drop_old_partials();
  EXPECT_FALSE(fs::exists(partial("half")));
  EXPECT_EQ(store->usage().used_bytes, 0U);
}

TEST_F(BlobStoreTest, StrangeFilesAreLeftAlone) {
  fs::create_directories(options.data_dir + "/blobs/ab");
  write(options.data_dir + "/blobs/ab/readme", "hello");
  write(options.data_dir + "/blobs/partial/x", "hello");
  open();
  EXPECT_EQ(store->usage().blobs, 0U);
  EXPECT_TRUE(fs::exists(options.data_dir + "/blobs/partial/x"));
}

TEST_F(BlobStoreTest, TheDiskKeepsRoomForOthers) {
  options.headroom_bytes = std::uint64_t{1} << 60U;
  open();
  const auto begun = store->begin_put(hash_of("x"), 1, true);
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code, ErrorCode::storage);
}

TEST_F(BlobStoreTest, WhereNothingCanBeWrittenReadingWorks) {
  ASSERT_TRUE(put("there"));
  store.reset();
  fs::rename(options.data_dir + "/blobs/partial", options.data_dir + "/blobs/moved");
  write(options.data_dir + "/blobs/partial", "in the way");
  open();
  EXPECT_FALSE(store->read_only().empty());
  EXPECT_TRUE(has("there"));
  EXPECT_EQ(store->begin_put(hash_of("new"), 3, false).error().code, ErrorCode::storage);
}

}  // namespace
}  // namespace taskpipe::broker
