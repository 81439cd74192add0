// Messages to frames and back. The only code of the project that knows msgpack.
//
// Decoding is strict: required keys and their types are checked, duplicates and trailing bytes are
// refused, counts must fit the bytes that are left, depth and item counts are bounded, unknown keys
// are skipped. Nothing of the input is referenced by the result. Thread: all functions are pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "common/protocol/envelope.hpp"

namespace taskpipe::protocol {

using FrameView = std::span<const std::byte>;

// TOO_BIG, naming the field, when an item exceeds its bound; the sender finds out before the peer
// would drop the connection. O(bytes).
[[nodiscard]] tl::expected<EncodedMessage, Error> encode(const Message& message,
                                                         Correlation correlation, SessionId session,
                                                         std::uint16_t flags = 0);

struct DecodedMessage {
  Header header;
  Message message;
};

// `frames` without any routing id. Errors: MALFORMED, VERSION, TOO_BIG, INVALID, UNSUPPORTED (a
// type that is not in use); `field` names the body's field by its path ("items[3].task_id"). Never
// throws.
[[nodiscard]] tl::expected<DecodedMessage, Error> decode(std::span<const FrameView> frames);

// Of the items of one message: how many bytes they take in body and blobs, to close a batch before
// it exceeds limits::kMaxBatchBytes. Estimates from above.
[[nodiscard]] std::size_t encoded_size_bound(const TaskSpec& spec);

// A message on the PUB channel: [topic][epoch u64, prev_seq u64, seq u64, big-endian][body].
struct EncodedEvents {
  std::string topic;
  HeaderBytes position{};
  std::string body;
};
[[nodiscard]] EncodedEvents encode_events(std::string topic, const Events& events);
[[nodiscard]] tl::expected<Events, Error> decode_events(FrameView position, FrameView body);

}  // namespace taskpipe::protocol
