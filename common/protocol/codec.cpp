#include "common/protocol/codec.hpp"

#include <array>
#include <exception>
#include <utility>
#include <variant>

#include "common/model/limits.hpp"
#include "common/protocol/body_codec.hpp"
#include "common/protocol/message_table.hpp"

namespace taskpipe::protocol {
namespace {

Error refusal(ErrorCode code, std::string field, std::string_view why) {
  std::string text = field + " " + std::string(why);
  return Error{code, std::move(text), std::move(field)};
}

template <std::size_t Index>
Message read_alternative(BodyReader& in) {
  std::variant_alternative_t<Index, MessageVariant> message;
  read_body(in, message);
  return message;
}

using ReadMessage = Message (*)(BodyReader&);

template <std::size_t... Indices>
constexpr std::array<ReadMessage, sizeof...(Indices)> make_readers(
    std::index_sequence<Indices...>) {
  return {&read_alternative<Indices>...};
}

constexpr auto kReaders =
    make_readers(std::make_index_sequence<std::variant_size_v<MessageVariant>>());

std::optional<Error> check_frames(std::span<const FrameView> frames) {
  if (frames.size() < 2) {
    return refusal(ErrorCode::malformed, "frames", "are fewer than header and body");
  }
  if (frames.size() > 2 + limits::kMaxBlobs) {
    return refusal(ErrorCode::too_big, "frames", "are more than header, body and 64 blobs");
  }
  std::size_t bytes = 0;
  for (const FrameView& frame : frames) {
    if (frame.size() > limits::kMaxFrameBytes) {
      return refusal(ErrorCode::too_big, "frames", "hold one of more than 4 MiB");
    }
    bytes += frame.size();
  }
  if (bytes > limits::kMaxMessageBytes) {
    return refusal(ErrorCode::too_big, "frames", "hold more than 16 MiB together");
  }
  return std::nullopt;
}

tl::expected<DecodedMessage, Error> decode_checked(std::span<const FrameView> frames) {
  if (auto error = check_frames(frames)) return tl::unexpected(std::move(*error));
  auto header = decode_header(frames[0]);
  if (!header) return tl::unexpected(std::move(header.error()));
  if (frames.size() != std::size_t{2} + header->blob_count) {
    return tl::unexpected(refusal(ErrorCode::malformed, "frames",
                                  "are " + std::to_string(frames.size()) + ", but the header has " +
                                      std::to_string(header->blob_count) + " blobs"));
  }
  const std::size_t index = index_of(header->type);
  if (index == kNoMessage) {
    return tl::unexpected(
        refusal(ErrorCode::unsupported, "header",
                "has the type " + std::to_string(header->type) + ", which is not in use here"));
  }
  BodyReader in(frames[1], frames.subspan(2));
  Message message = kReaders[index](in);
  in.finish();
  if (!in.ok()) return tl::unexpected(*in.error());
  return DecodedMessage{*header, std::move(message)};
}

}  // namespace

tl::expected<EncodedMessage, Error> encode(const Message& message, Correlation correlation,
                                           SessionId session, std::uint16_t flags) {
  BodyWriter out;
  std::visit([&out](const auto& body) { write_body(out, body); }, message);
  if (!out.ok()) return tl::unexpected(*out.error());
  if (out.size() > limits::kMaxFrameBytes) {
    return tl::unexpected(
        refusal(ErrorCode::too_big, "body", "is larger than 4 MiB; send it in several messages"));
  }
  std::vector<Payload> blobs = out.take_blobs();
  std::size_t bytes = kHeaderBytes + out.size();
  for (const Payload& blob : blobs) bytes += blob.size();
  if (bytes > limits::kMaxMessageBytes) {
    return tl::unexpected(
        refusal(ErrorCode::too_big, "frames",
                "hold more than 16 MiB together; send the items in several messages"));
  }
  EncodedMessage encoded;
  encoded.body = out.take_body();
  encoded.blobs = std::move(blobs);
  Header header;
  header.type = static_cast<std::uint8_t>(type_code(message));
  header.flags = flags;
  header.blob_count = static_cast<std::uint16_t>(encoded.blobs.size());
  header.correlation = correlation;
  header.session = session;
  encoded.header = encode_header(header);
  return encoded;
}

tl::expected<DecodedMessage, Error> decode(std::span<const FrameView> frames) {
  try {
    return decode_checked(frames);
  } catch (const std::exception& failure) {
    // Everything is bounded, so only a machine without memory comes here.
    return tl::unexpected(refusal(ErrorCode::too_big, "body", failure.what()));
  }
}

}  // namespace taskpipe::protocol
