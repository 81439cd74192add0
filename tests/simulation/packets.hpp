// Messages through the real codec, without a socket.
#pragma once

#include <memory>
#include <vector>

#include "common/protocol/codec.hpp"
#include "tests/simulation/network.hpp"

namespace taskpipe::simulation {

[[nodiscard]] inline tl::expected<Packet, Error> pack(const Message& message,
                                                      Correlation correlation, SessionId session,
                                                      std::uint16_t flags = 0) {
  auto encoded = protocol::encode(message, correlation, session, flags);
  if (!encoded) return tl::unexpected(std::move(encoded.error()));
  return std::make_shared<const protocol::EncodedMessage>(std::move(*encoded));
}

[[nodiscard]] inline tl::expected<protocol::DecodedMessage, Error> unpack(const Packet& packet) {
  std::vector<protocol::FrameView> frames;
  frames.emplace_back(packet->header);
  frames.push_back(std::as_bytes(std::span(packet->body)));
  for (const auto& blob : packet->blobs) frames.push_back(blob.bytes());
  return protocol::decode(frames);
}

}  // namespace taskpipe::simulation
