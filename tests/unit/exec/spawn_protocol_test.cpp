#include "worker/spawner/spawn_protocol.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace taskpipe::worker {
namespace {

constexpr std::size_t kHeaderBytes = 8;

spawn_message::Spawn full_spawn() {
  spawn_message::Spawn spawn;
  spawn.run = 0x0102030405060708ULL;
  spawn.argv = {"sh", "-c", std::string("a\0b", 3), ""};
  spawn.environment = {"A=1", "B="};
  spawn.directory = "/some/where";
  spawn.memory_limit_bytes = 1ULL << 40U;
  spawn.cpu_limit_s = 9;
  spawn.open_files = 77;
  spawn.niceness = -5;
  spawn.inspection = {"docker", "inspect", "c"};
  spawn.removal = {"docker", "rm", "c"};
  return spawn;
}

std::vector<SpawnMessage> every_message() {
  spawn_message::Exited end;
  end.run = 3;
  end.wait_status = 139;
  end.wall_us = 1;
  end.user_us = 2;
  end.system_us = 3;
  end.max_rss_bytes = 4;
  end.leftovers_killed = 5;
  end.out_of_memory = true;
  end.container_started = ContainerStart::started;
  end.container_left = true;
  return {full_spawn(),
          spawn_message::Stop{1, 15, 5000},
          spawn_message::Ready{1, "cgroup v2 memory"},
          spawn_message::Spawned{2, 4711, 12},
          spawn_message::SpawnFailed{2, SpawnStage::interpreter, 2, "x"},
          end};
}

void feed(FrameReader& reader, std::string_view bytes) {
  const auto space = reader.space(bytes.size());
  std::copy(bytes.begin(), bytes.end(), space.begin());
  reader.commit(bytes.size());
}

TEST(SpawnProtocol, CarriesEveryFieldOfSpawn) {
  const auto decoded = decode_frame(encode(full_spawn()));
  ASSERT_TRUE(decoded);
  const auto& spawn = std::get<spawn_message::Spawn>(*decoded);
  const auto expected = full_spawn();
  EXPECT_EQ(spawn.run, expected.run);
  EXPECT_EQ(spawn.argv, expected.argv);
  EXPECT_EQ(spawn.environment, expected.environment);
  EXPECT_EQ(spawn.directory, expected.directory);
  EXPECT_EQ(spawn.memory_limit_bytes, expected.memory_limit_bytes);
  EXPECT_EQ(spawn.cpu_limit_s, expected.cpu_limit_s);
  EXPECT_EQ(spawn.open_files, expected.open_files);
  EXPECT_EQ(spawn.niceness, expected.niceness);
  EXPECT_EQ(spawn.inspection, expected.inspection);
  EXPECT_EQ(spawn.removal, expected.removal);
  EXPECT_EQ(encoded_bytes(expected), encode(expected).size());
}

TEST(SpawnProtocol, EveryMessageSurvivesAnyCutOfTheStream) {
  std::string stream;
  for (const auto& message : every_message()) stream += encode(message);
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{64}, stream.size()}) {
    FrameReader reader;
    std::string again;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      feed(reader, std::string_view(stream).substr(at, step));
      SpawnMessage message;
      FrameReader::Status status{};
      while ((status = reader.next(message)) == FrameReader::Status::message) {
        again += encode(message);
      }
      ASSERT_EQ(status, FrameReader::Status::need_more);
    }
    EXPECT_EQ(again, stream);
  }
}

TEST(SpawnProtocol, RefusesTruncatedAndLengthenedFrames) {
  for (const auto& message : every_message()) {
    const std::string frame = encode(message);
    for (std::size_t size = 0; size < frame.size(); ++size) {
      std::string cut = frame.substr(0, size);
      EXPECT_FALSE(decode_frame(cut));
      if (size < kHeaderBytes) continue;
      const auto body = static_cast<std::uint32_t>(size - kHeaderBytes);
      std::memcpy(cut.data(), &body, sizeof body);  // now it claims to be whole
      EXPECT_FALSE(decode_frame(cut));
    }
    EXPECT_FALSE(decode_frame(frame + "x"));
  }
}

TEST(SpawnProtocol, SurvivesEveryChangedByte) {
  for (const auto& message : every_message()) {
    const std::string frame = encode(message);
    for (std::size_t i = 0; i < frame.size(); ++i) {
      for (const char value : {'\x00', '\x7F', '\xFF'}) {
        std::string changed = frame;
        changed[i] = value;
        FrameReader reader;
        feed(reader, changed);
        SpawnMessage out;
        int messages = 0;
        while (reader.next(out) == FrameReader::Status::message) ++messages;
        EXPECT_LE(messages, 1);
      }
    }
  }
}

TEST(SpawnProtocol, RefusesAFrameBeyondTheBound) {
  std::string header(kHeaderBytes, '\0');
  const auto body = static_cast<std::uint32_t>(kMaxSpawnFrameBytes);
  std::memcpy(header.data(), &body, sizeof body);
  FrameReader reader;
  feed(reader, header);
  SpawnMessage out;
  EXPECT_EQ(reader.next(out), FrameReader::Status::corrupt);
}

TEST(SpawnProtocol, RefusesUnknownTypesAndStages) {
  std::string frame = encode(spawn_message::Spawned{1, 2});
  frame[4] = 99;
  EXPECT_FALSE(decode_frame(frame));
  frame = encode(spawn_message::SpawnFailed{1, SpawnStage::exec, 2, ""});
  frame[kHeaderBytes + sizeof(RunNumber)] = 99;
  EXPECT_FALSE(decode_frame(frame));
  frame = encode(spawn_message::Exited{});
  frame[frame.size() - 2] = 3;  // before `container_left`
  EXPECT_FALSE(decode_frame(frame));
}

TEST(SpawnProtocol, TakesAnArgumentListOfSeveralMegabytes) {
  spawn_message::Spawn spawn;
  spawn.argv = {"x", std::string(5U << 20U, 'a')};
  FrameReader reader;
  feed(reader, encode(spawn));
  SpawnMessage out;
  ASSERT_EQ(reader.next(out), FrameReader::Status::message);
  EXPECT_EQ(std::get<spawn_message::Spawn>(out).argv, spawn.argv);
}

}  // namespace
}  // namespace taskpipe::worker
