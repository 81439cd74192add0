#include "common/protocol/envelope.hpp"

#include <string>

#include "common/protocol/big_endian.hpp"
#include "common/protocol/message_table.hpp"

namespace taskpipe::protocol {

HeaderBytes encode_header(const Header& header) {
  HeaderBytes bytes{};
  store_big_endian(&bytes[0], kMagic);
  bytes[2] = std::byte{kProtocolMajor};
  bytes[3] = std::byte{header.type};
  store_big_endian(&bytes[4], header.flags);
  store_big_endian(&bytes[6], header.blob_count);
  store_big_endian(&bytes[8], header.correlation.value());
  store_big_endian(&bytes[16], header.session.value());
  return bytes;
}

tl::expected<Header, Error> decode_header(std::span<const std::byte> frame) {
  const auto refuse = [](ErrorCode code, std::string why) {
    return tl::unexpected(Error{code, "header " + std::move(why), "header"});
  };
  if (frame.size() != kHeaderBytes) {
    return refuse(ErrorCode::malformed,
                  "has " + std::to_string(frame.size()) + " bytes instead of 24");
  }
  if (load_big_endian<std::uint16_t>(&frame[0]) != kMagic) {
    return refuse(ErrorCode::malformed, "does not start with 0x5450; is this a taskpipe peer?");
  }
  const auto major = std::to_integer<std::uint8_t>(frame[2]);
  if (major != kProtocolMajor) {
    return refuse(ErrorCode::version, "speaks protocol " + std::to_string(major) + ", here is " +
                                          std::to_string(kProtocolMajor) +
                                          "; update the older side");
  }
  Header header;
  header.type = std::to_integer<std::uint8_t>(frame[3]);
  header.flags = load_big_endian<std::uint16_t>(&frame[4]);
  header.blob_count = load_big_endian<std::uint16_t>(&frame[6]);
  header.correlation = Correlation(load_big_endian<std::uint64_t>(&frame[8]));
  header.session = SessionId(load_big_endian<std::uint64_t>(&frame[16]));
  return header;
}

MessageType type_code(const Message& message) { return kMessageTable[message.index()].type; }

std::string_view name_of(MessageType type) {
  const std::size_t index = index_of(static_cast<std::uint8_t>(type));
  return index == kNoMessage ? std::string_view("?") : kMessageTable[index].name;
}

}  // namespace taskpipe::protocol
