// A reading that changes nothing: what --check and a broker that cannot write do.
#include "broker/journal/chain_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>

#include "tests/unit/journal/log_on_fake_disk.hpp"

namespace taskpipe::broker {
namespace {

using ::testing::HasSubstr;

class ChainReaderTest : public ::testing::Test, protected LogOnFakeDisk {
 protected:
  void SetUp() override { ASSERT_TRUE(open()); }

  tl::expected<ReadChain, Error> read() {
    SegmentFolder folder(disk, options.folder);
    EXPECT_TRUE(folder.look());
    read_records = 0;
    return read_chain(folder, [this](Lsn, Record&&) { ++read_records; });
  }
  std::map<std::string, std::vector<std::byte>> everything() const {
    std::map<std::string, std::vector<std::byte>> all;
    for (const auto& path : disk.paths()) all[path] = disk.contents(path);
    return all;
  }

  std::size_t read_records = 0;
};

TEST_F(ChainReaderTest, ReadsATornTailWhereNothingCanBeWritten) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(commit(2, 100));
  ASSERT_TRUE(write(3, 100));
  disk.flip_bit(segment_path(1), batch_offsets(1).back() + kBatchHeaderBytes + 20, 3);
  const auto before = everything();
  disk.refuse_changes(EROFS);
  const auto chain = read();
  ASSERT_TRUE(chain) << chain.error().text;
  EXPECT_EQ(chain->report.last, Lsn(10));
  EXPECT_EQ(chain->report.cut_records, 3U);
  EXPECT_GT(chain->report.cut_bytes, 300U);
  EXPECT_TRUE(chain->tail_in_last);
  EXPECT_EQ(read_records, 10U);
  EXPECT_EQ(everything(), before);
}

// What decides that a broker serves reads only: it cannot open, and can read, whatever the reason.
TEST_F(ChainReaderTest, WhatCannotBeOpenedForWritingCanStillBeRead) {
  ASSERT_TRUE(commit(2, 100));
  ASSERT_TRUE(write(1, 100));
  for (const int code : {EROFS, EACCES, ENOSPC, EIO}) {
    disk.refuse_changes(code);
    const auto opened = open();
    ASSERT_FALSE(opened) << code;
    EXPECT_EQ(opened.error().code, ErrorCode::storage);
    EXPECT_THAT(opened.error().text, HasSubstr("not usable"));
    const auto chain = read();
    ASSERT_TRUE(chain) << chain.error().text;
    EXPECT_EQ(chain->report.last, Lsn(3));
  }
  disk.refuse_changes(0);
  ASSERT_TRUE(open());
  EXPECT_EQ(log->written(), Lsn(3));
}

TEST_F(ChainReaderTest, AnEmptyFolderIsAnEmptyChain) {
  log.reset();
  disk.delete_file(segment_path(1));
  const auto chain = read();
  ASSERT_TRUE(chain);
  EXPECT_TRUE(chain->segments.empty());
  EXPECT_EQ(chain->report.last, Lsn());
}

TEST_F(ChainReaderTest, TheLockIsTakenWithoutWritingAndKeepsABrokerOut) {
  const SegmentFolder folder(disk, options.folder);
  const auto refused = folder.lock_for_reading();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("held by another broker (pid 4711)"));
  log.reset();
  disk.refuse_changes(EROFS);
  const auto lock = folder.lock_for_reading();
  ASSERT_TRUE(lock);
  disk.refuse_changes(0);
  EXPECT_FALSE(open());
}

}  // namespace
}  // namespace taskpipe::broker
