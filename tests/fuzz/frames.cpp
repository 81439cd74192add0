#include "tests/fuzz/frames.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "common/model/limits.hpp"

namespace taskpipe::fuzz {
namespace {

constexpr std::size_t kMostBlobs = 4;  // of one spelled message
constexpr std::size_t kLongestBlob = 64;

std::string_view text_of(protocol::FrameView frame) {
  return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}

std::string_view text_of(const protocol::HeaderBytes& header) {
  return text_of(protocol::FrameView(header));
}

Frames frames_of(const protocol::EncodedMessage& message) {
  Frames frames;
  frames.add(text_of(message.header));
  frames.add(message.body);
  for (const Payload& blob : message.blobs) frames.add(blob.text());
  return frames;
}

protocol::EncodedMessage encoded(const Message& message) {
  auto encoded = protocol::encode(message, Correlation(1), SessionId(2));
  if (!encoded) violated("a message does not encode: " + encoded.error().text);
  return std::move(*encoded);
}

Message decoded(const protocol::EncodedMessage& message) {
  const Frames frames = frames_of(message);
  auto decoded = protocol::decode(frames.views());
  if (!decoded) violated("what was encoded does not decode: " + decoded.error().text);
  return std::move(decoded->message);
}

bool same_bytes(const protocol::EncodedMessage& a, const protocol::EncodedMessage& b) {
  return a.header == b.header && a.body == b.body && a.blobs == b.blobs;
}

}  // namespace

void violated(std::string_view what) {
  std::fprintf(stderr, "violated: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

std::uint8_t Bytes::byte() {
  const std::string_view one = take(1);
  return one.empty() ? 0 : static_cast<std::uint8_t>(one[0]);
}

std::uint16_t Bytes::word() {
  const std::uint8_t low = byte();
  return static_cast<std::uint16_t>(low | byte() << 8U);
}

std::string_view Bytes::take(std::size_t size) {
  const std::string_view taken = left_.substr(0, size);
  left_.remove_prefix(taken.size());
  return taken;
}

void Frames::add(std::string_view frame) {
  const auto bytes = std::as_bytes(std::span(frame));
  frames_.emplace_back(bytes.begin(), bytes.end());
}

std::vector<protocol::FrameView> Frames::views() const { return {frames_.begin(), frames_.end()}; }

// Blobs are cut: any length will do for a reader, and inputs stay short.
std::string spell(const protocol::EncodedMessage& message) {
  const std::size_t blobs = std::min(message.blobs.size(), kMostBlobs);
  std::string spelled;
  spelled += static_cast<char>(message.header[3]);
  spelled += static_cast<char>(blobs);
  std::string tail;
  for (std::size_t i = 0; i < blobs; ++i) {
    const std::string_view blob = message.blobs[i].text().substr(0, kLongestBlob);
    spelled += static_cast<char>(blob.size());
    spelled += '\0';
    tail += blob;
  }
  return spelled + message.body + tail;
}

Frames spelled_frames(std::string_view spelled) {
  Bytes in(spelled);
  protocol::Header header;
  header.type = in.byte();
  header.blob_count = static_cast<std::uint16_t>(in.byte() % (kMostBlobs + 1));
  header.correlation = Correlation(1);
  header.session = SessionId(2);
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < header.blob_count; ++i) lengths.push_back(in.word());
  std::string_view rest = in.rest();
  std::vector<std::string_view> blobs;  // the last one first
  for (auto length = lengths.rbegin(); length != lengths.rend(); ++length) {
    const std::size_t size = std::min(*length, rest.size());
    blobs.push_back(rest.substr(rest.size() - size));
    rest.remove_suffix(size);
  }
  Frames frames;
  const protocol::HeaderBytes bytes = protocol::encode_header(header);
  frames.add(text_of(bytes));
  frames.add(rest);
  for (auto blob = blobs.rbegin(); blob != blobs.rend(); ++blob) frames.add(*blob);
  return frames;
}

tl::expected<protocol::DecodedMessage, Error> decode_spelled(std::string_view spelled) {
  const Frames frames = spelled_frames(spelled);
  auto decoded = protocol::decode(frames.views());
  if (!decoded) {
    require(decoded.error().code != ErrorCode::ok, "a refusal without a code");
    require(!decoded.error().field.empty(), "a refusal that names no field");
  }
  return decoded;
}

void check_round_trip(const Message& message) {
  const auto once = encoded(message);
  const Message again = decoded(once);
  require(same_bytes(once, encoded(again)), "a message changes when it is sent on");
  // A message with a NaN among its metrics differs even from itself.
  const bool comparable = message == Message(message);
  require(!comparable || again == message, "a message decodes to another one");
}

void check_sendable(const Message& message) { static_cast<void>(decoded(encoded(message))); }

void check_publishable(const std::string& topic, const Events& events) {
  require(!topic.empty() && topic.size() <= limits::kMaxTopicBytes && topic.back() == '.',
          "a topic that may not be published: " + topic);
  const auto encoded = protocol::encode_events(topic, events);
  Frames frames;
  frames.add(text_of(encoded.position));
  frames.add(encoded.body);
  const auto views = frames.views();
  const auto decoded = protocol::decode_events(views[0], views[1]);
  if (!decoded) violated("published events do not decode: " + decoded.error().text);
  require(decoded->epoch == events.epoch && decoded->seq == events.seq &&
              decoded->prev_seq == events.prev_seq,
          "events lose their position");
  require(decoded->tasks.size() == events.tasks.size() &&
              decoded->workflows.size() == events.workflows.size() &&
              decoded->workers.size() == events.workers.size() &&
              decoded->positions.size() == events.positions.size(),
          "events break a bound and were left out");
}

}  // namespace taskpipe::fuzz
