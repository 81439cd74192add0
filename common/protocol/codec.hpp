// Messages to frames and back. The only code of the project that knows msgpack.
//
// Encoding refuses what the peer would refuse, so that the sender learns of it. Sentences for
// people (messages, reasons, error texts) are cut and repaired instead, when they are too long or
// no UTF-8. Decoding is strict: required keys and their types are checked, duplicates and trailing
// bytes are refused, counts must fit the bytes that are left, depth and item counts are bounded,
// unknown keys are skipped. Nothing of the input is referenced by the result. Thread: all functions
// are pure.
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
// type that is not in use); `field` names the body's field by its path ("items[3].task_id"), or a
// part of the envelope ("frames", "header", "body", "blobs"). Never throws.
[[nodiscard]] tl::expected<DecodedMessage, Error> decode(std::span<const FrameView> frames);

// How many bytes an item takes in body and blobs, to close a batch before it exceeds
// limits::kMaxBatchBytes. Estimates from above; O(1) but for specs and lists. See batch.hpp.
[[nodiscard]] std::size_t encoded_size_bound(const TaskSpec& spec);
[[nodiscard]] std::size_t encoded_size_bound(const SubmitItem& item);
[[nodiscard]] std::size_t encoded_size_bound(const TaskItem& item);
[[nodiscard]] std::size_t encoded_size_bound(const DoneTask& task);
[[nodiscard]] std::size_t encoded_size_bound(const ResultItem& item);
[[nodiscard]] std::size_t encoded_size_bound(const ProgressItem& item);
[[nodiscard]] std::size_t encoded_size_bound(const LogItem& item);

// A message on the PUB channel: [topic][epoch u64, prev_seq u64, seq u64, big-endian][body].
// Events have no right to fail: items that break a bound (more than limits::kMaxBatchItems, …) are
// left out all together, so that the sequence stays whole.
struct EncodedEvents {
  std::string topic;
  HeaderBytes position{};
  std::string body;
};
[[nodiscard]] EncodedEvents encode_events(std::string topic, const Events& events);
[[nodiscard]] tl::expected<Events, Error> decode_events(FrameView position, FrameView body);

}  // namespace taskpipe::protocol
