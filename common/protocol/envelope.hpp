// The envelope of a message: [header 24 B][body: msgpack map][blob × n], no empty delimiter.
//
// Header, big-endian ('>HBBHHQQ'); 24 bytes fit libzmq's inline message, so that it costs no
// malloc:
//   magic u16 | major u8 | type u8 | flags u16 | blob_count u16 | correlation u64 | session u64
// One zero-length frame alone is the probe of ZMQ_PROBE_ROUTER.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/messages.hpp"
#include "common/model/payload.hpp"

namespace taskpipe::protocol {

inline constexpr std::uint16_t kMagic = 0x5450;  // "TP"
inline constexpr std::size_t kHeaderBytes = 24;
inline constexpr std::uint16_t kFlagResend = 1;

// Stable on the wire: numbers are never reused. 1–15 session, 16–49 client, 50–59 bulk
// port, 64–95 worker, 96– events.
enum class MessageType : std::uint8_t {
  who = 1,
  hello = 2,
  welcome = 3,
  ping = 4,
  pong = 5,
  bye = 6,
  error = 7,
  submit = 16,
  submit_ack = 17,
  workflow = 18,
  workflow_ack = 19,
  wait = 20,
  done = 21,
  query = 22,
  rows = 23,
  cancel = 24,
  cancel_ack = 25,
  fetch = 26,
  chunk = 27,
  tools = 28,
  tools_reply = 29,
  workers = 30,
  workers_reply = 31,
  health = 32,
  health_reply = 33,
  watch = 34,
  watch_credit = 35,
  snapshot = 36,
  snap = 37,
  resubmit = 40,
  resubmit_ack = 41,
  bulk_hello = 50,
  bulk_welcome = 51,
  put = 52,
  put_state = 53,
  put_data = 54,
  get = 55,
  get_data = 56,
  get_credit = 57,
  bulk_cancel = 58,
  reconcile = 64,
  credit = 65,
  tasks = 66,
  tasks_ack = 67,
  recall = 68,
  returned = 69,
  started = 70,
  progress = 71,
  log = 72,
  result = 73,
  result_ack = 74,
  kill = 75,
  drain = 76,
  drained = 77,
  events = 96,
};

struct Header {
  std::uint8_t type = 0;
  std::uint16_t flags = 0;
  std::uint16_t blob_count = 0;
  Correlation correlation;
  SessionId session;
  friend bool operator==(const Header&, const Header&) = default;
};

using HeaderBytes = std::array<std::byte, kHeaderBytes>;

[[nodiscard]] HeaderBytes encode_header(const Header& header);
// MALFORMED for a wrong size or magic, VERSION for another major version.
[[nodiscard]] tl::expected<Header, Error> decode_header(std::span<const std::byte> frame);

[[nodiscard]] MessageType type_code(const Message& message);
// "SUBMIT" and so on, for logs; "?" for numbers that are not in use.
[[nodiscard]] std::string_view name_of(MessageType type);

// A message as it goes over a socket.
struct EncodedMessage {
  HeaderBytes header{};
  std::string body;
  std::vector<Payload> blobs;
};

}  // namespace taskpipe::protocol
