#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/bulk/download.hpp"
#include "common/bulk/upload.hpp"
#include "common/model/limits.hpp"
#include "common/process/sha256.hpp"

namespace taskpipe::bulk {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kChunk = limits::kBulkChunkBytes;

class TransferTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "transfer-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name, std::ios::binary) << text;
    return (folder / name).string();
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder / name, std::ios::binary).rdbuf();
    return text.str();
  }
  DownloadFile target() const {
    return {process::sha256_hex(content), content.size(), (folder / "out").string(), false};
  }
  GetData piece(std::uint64_t offset, std::uint64_t length) const {
    return {offset, content.size(), Payload(std::string_view(content).substr(offset, length))};
  }

  fs::path folder;
  std::string content = std::string(2 * kChunk, 'x') + "end";
};

TEST_F(TransferTest, AnUploadKeepsToItsCredit) {
  Upload upload({write("a", content), process::sha256_hex(content), content.size()});
  EXPECT_EQ(upload.begin().size_bytes, content.size());
  EXPECT_FALSE(upload.next().value()) << "before the broker has answered";
  upload.on_state({false, 0, kChunk + 1});
  std::string sent;
  while (const auto data = upload.next().value()) {
    EXPECT_EQ(data->offset, sent.size());
    sent += data->data.text();
  }
  EXPECT_EQ(sent, content.substr(0, kChunk + 1));
  upload.on_state({false, kChunk, content.size()});
  while (const auto data = upload.next().value()) sent += data->data.text();
  EXPECT_EQ(sent, content);
  upload.on_state({true, 0, 0});
  EXPECT_TRUE(upload.done());
}

TEST_F(TransferTest, AnUploadGoesOnWhereTheBrokerSays) {
  Upload upload({write("a", content), process::sha256_hex(content), content.size()});
  static_cast<void>(upload.begin());
  upload.on_state({false, 2 * kChunk, content.size()});
  EXPECT_EQ(upload.next().value()->data.text(), "end");
  EXPECT_TRUE(upload.may_start_over()) << "what was there before may be wrong";
  EXPECT_FALSE(upload.may_start_over());
}

TEST_F(TransferTest, AFileThatShrinksEndsTheUpload) {
  Upload upload({write("a", "short"), process::sha256_hex(content), content.size()});
  static_cast<void>(upload.begin());
  upload.on_state({false, 0, content.size()});
  EXPECT_EQ(upload.next().error().code, ErrorCode::invalid);
  Upload missing({(folder / "none").string(), process::sha256_hex(content), content.size()});
  static_cast<void>(missing.begin());
  missing.on_state({false, 0, content.size()});
  EXPECT_EQ(missing.next().error().code, ErrorCode::invalid);
}

TEST_F(TransferTest, ADownloadHasItsNameOnlyWhenItIsWhole) {
  Download download(target());
  ASSERT_TRUE(download.prepare());
  EXPECT_EQ(download.begin().offset, 0U);
  ASSERT_TRUE(download.on_data(piece(0, kChunk)));
  ASSERT_TRUE(download.on_data(piece(0, kChunk))) << "a repeated piece is passed over";
  ASSERT_TRUE(download.on_data(piece(kChunk, kChunk)));
  EXPECT_FALSE(fs::exists(folder / "out"));
  ASSERT_TRUE(download.on_data(piece(2 * kChunk, 3)));
  ASSERT_TRUE(download.complete());
  ASSERT_TRUE(download.finish());
  EXPECT_EQ(read("out"), content);
  EXPECT_FALSE(fs::exists(folder / "out.part"));
}

TEST_F(TransferTest, ADownloadGoesOnFromItsPart) {
  write("out.part", content.substr(0, kChunk + 7));
  Download download(target());
  ASSERT_TRUE(download.prepare());
  EXPECT_EQ(download.begin().offset, kChunk + 7);
  ASSERT_TRUE(download.on_data(piece(kChunk + 7, kChunk - 7)));
  ASSERT_TRUE(download.on_data(piece(2 * kChunk, 3)));
  ASSERT_TRUE(download.finish());
  EXPECT_EQ(read("out"), content);
}

TEST_F(TransferTest, AWrongPartIsFoundOutOnce) {
  write("out.part", std::string(kChunk, 'w'));
  Download download(target());
  ASSERT_TRUE(download.prepare());
  ASSERT_TRUE(download.on_data(piece(kChunk, kChunk)));
  ASSERT_TRUE(download.on_data(piece(2 * kChunk, 3)));
  EXPECT_EQ(download.finish().error().field, "sha256");
  ASSERT_TRUE(download.may_start_over());
  EXPECT_EQ(download.begin().offset, 0U);
  for (std::uint64_t at = 0; at < content.size(); at += kChunk) {
    ASSERT_TRUE(download.on_data(piece(at, kChunk)));
  }
  EXPECT_TRUE(download.finish());
  EXPECT_FALSE(download.may_start_over());
}

TEST_F(TransferTest, ALongerPartIsCutAndTwoWritersAreNot) {
  write("out.part", content + content);
  Download download(target());
  ASSERT_TRUE(download.prepare());
  EXPECT_EQ(download.written_bytes(), 0U);
  Download second(target());
  EXPECT_EQ(second.prepare().error().code, ErrorCode::busy);
}

TEST_F(TransferTest, WhatDoesNotFitIsRefused) {
  Download download(target());
  ASSERT_TRUE(download.prepare());
  GetData other = piece(0, kChunk);
  other.size_bytes += 1;
  EXPECT_EQ(download.on_data(other).error().code, ErrorCode::invalid);
}

}  // namespace
}  // namespace taskpipe::bulk
