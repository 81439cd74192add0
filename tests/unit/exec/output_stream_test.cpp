#include "worker/exec/output_stream.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/model/limits.hpp"
#include "tests/unit/exec/scratch_folder.hpp"

namespace taskpipe::worker {
namespace {

using ::testing::ElementsAre;

class OutputStreamTest : public ::testing::Test {
 protected:
  OutputStream open(std::uint64_t max_file_bytes = limits::kMaxLogFileBytes) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    writer_.reset(ends[1]);
    return {LogStream::out, Descriptor(ends[0]), folder_ / "stdout.log", max_file_bytes};
  }
  void put(OutputStream& stream, const std::string& bytes) {
    constexpr std::size_t kPieceBytes = 32'768;  // fits the pipe
    for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes) {
      const auto piece = std::string_view(bytes).substr(at, kPieceBytes);
      ASSERT_EQ(::write(writer_.get(), piece.data(), piece.size()),
                static_cast<ssize_t>(piece.size()));
      read(stream);
    }
  }
  bool read(OutputStream& stream) {
    std::string scratch(64U << 10U, '\0');
    return stream.read_once(scratch.data(), scratch.size(),
                            [this](std::string_view line) { lines_.emplace_back(line); });
  }
  std::string file() const {
    std::ifstream in(folder_ / "stdout.log", std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  ScratchFolder folder_;
  Descriptor writer_;
  std::vector<std::string> lines_;
};

MonotonicTime at_ms(int ms) { return MonotonicTime{Millis(ms)}; }

TEST_F(OutputStreamTest, WritesTheFileAndPassesOnLinesAndChunks) {
  auto stream = open();
  EXPECT_FALSE(stream.due());
  put(stream, "one\ntwo");
  EXPECT_THAT(lines_, ElementsAre("one"));
  const auto chunk = stream.take(at_ms(0));
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->offset, 0U);
  EXPECT_EQ(chunk->data, "one\ntwo");
  put(stream, "!");
  EXPECT_EQ(*stream.due(), at_ms(static_cast<int>(limits::kOutputIntervalMs)));
  writer_.reset();
  EXPECT_FALSE(read(stream));
  EXPECT_EQ(stream.fd(), -1);
  stream.finish([this](std::string_view line) { lines_.emplace_back(line); });
  EXPECT_THAT(lines_, ElementsAre("one", "two!"));
  EXPECT_EQ(stream.take(at_ms(1))->offset, 7U);
  EXPECT_EQ(stream.tail_text(), "one\ntwo!");
  EXPECT_EQ(stream.total_bytes(), 8U);
  EXPECT_EQ(file(), "one\ntwo!");
}

TEST_F(OutputStreamTest, ThinsTheLiveCopyButNotTheFile) {
  auto stream = open();
  std::string text;
  for (int i = 0; text.size() < 500'000; ++i) text += std::to_string(i) + "\n";
  put(stream, text);
  const auto chunk = stream.take(at_ms(0));
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->data, text.substr(text.size() - limits::kMaxLogChunkBytes));
  EXPECT_EQ(chunk->offset, text.size() - limits::kMaxLogChunkBytes);
  EXPECT_EQ(file(), text);
}

TEST_F(OutputStreamTest, StopsTheFileAtItsBoundAndCountsOn) {
  auto stream = open(10);
  put(stream, "0123456");
  put(stream, "789abc");
  put(stream, "def");
  EXPECT_EQ(file(), "0123456789");
  EXPECT_EQ(stream.total_bytes(), 16U);
  EXPECT_EQ(stream.file_error(), 0);
}

TEST_F(OutputStreamTest, DoesNotWriteThroughALinkThatTheToolMade) {
  const ScratchFolder outside;
  std::filesystem::create_symlink(outside / "target", folder_ / "stdout.log");
  auto stream = open();
  put(stream, "x\n");
  EXPECT_NE(stream.file_error(), 0);
  EXPECT_FALSE(std::filesystem::exists(outside / "target"));
  EXPECT_EQ(stream.tail_text(), "x\n");
}

TEST_F(OutputStreamTest, MakesNoFileForASilentTool) {
  auto stream = open();
  writer_.reset();
  EXPECT_FALSE(read(stream));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "stdout.log"));
}

}  // namespace
}  // namespace taskpipe::worker
