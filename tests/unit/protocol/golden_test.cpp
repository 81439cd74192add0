#include "tests/unit/protocol/golden.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "common/protocol/value_codec.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol {
namespace {

std::string read_golden_file() {
  std::ifstream file(TASKPIPE_GOLDEN_FILE, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Name → frames, of the lines that are no comments.
std::map<std::string, std::vector<std::string>> read_vectors() {
  std::map<std::string, std::vector<std::string>> vectors;
  std::istringstream file(read_golden_file());
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto colon = line.find(':');
    std::istringstream frames(line.substr(colon + 1));
    auto& list = vectors[line.substr(0, colon)];
    for (std::string hex; frames >> hex;) list.push_back(samples::from_hex(hex));
  }
  return vectors;
}

TEST(Golden, TheWireHasNotChanged) {
  EXPECT_EQ(samples::golden_text(), read_golden_file())
      << "If the wire should change, run taskpipe_write_golden tests/golden/messages.txt and "
         "docs/protocol.md must follow.";
}

TEST(Golden, EveryVectorDecodesToItsSample) {
  const auto vectors = read_vectors();
  for (const auto& sample : samples::all()) {
    const auto found = vectors.find(sample.name);
    ASSERT_NE(found, vectors.end()) << sample.name;
    std::vector<FrameView> frames;
    for (const auto& frame : found->second) frames.push_back(samples::view(frame));
    const auto decoded = decode(frames);
    ASSERT_TRUE(decoded.has_value()) << sample.name << ": " << decoded.error().text;
    EXPECT_TRUE(decoded->message == sample.message) << sample.name;
    EXPECT_EQ(decoded->header.correlation, Correlation(samples::kCorrelation));
    EXPECT_EQ(decoded->header.session, SessionId(samples::kSession));
  }
}

TEST(Golden, EventsAndPayloadsDecode) {
  const auto vectors = read_vectors();
  const auto& event = vectors.at("EVENT full");
  ASSERT_EQ(event.size(), 3U);
  const auto events = decode_events(samples::view(event[1]), samples::view(event[2]));
  ASSERT_TRUE(events.has_value());
  EXPECT_EQ(*events, std::get<Events>(samples::events()[0].message));
  const auto params = decode_params(samples::view(vectors.at("PAYLOAD params")[0]));
  ASSERT_TRUE(params.has_value());
  EXPECT_EQ(*params, samples::params());
  const auto report = decode_report(samples::view(vectors.at("PAYLOAD report")[0]));
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(*report, samples::report());
}

}  // namespace
}  // namespace taskpipe::protocol
