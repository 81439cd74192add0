// What travels in payloads: params, handler results, run reports.
#include "common/protocol/value_codec.hpp"
#include "tests/fuzz/frames.hpp"

namespace taskpipe::fuzz {
namespace {

// Equal values have equal bytes, so comparing the bytes also covers metrics that are NaN.
template <class Decode, class Encode>
void check(std::string_view input, Decode decode, Encode encode) {
  Frames frames;
  frames.add(input);
  const auto value = decode(frames.views()[0]);
  if (!value) {
    require(value.error().code != ErrorCode::ok, "a refusal without a code");
    return;
  }
  const auto once = encode(*value);
  if (!once) violated("a value does not encode again: " + once.error().text);
  const auto again = decode(once->bytes());
  if (!again) violated("what was encoded does not decode: " + again.error().text);
  const auto twice = encode(*again);
  require(twice && *twice == *once, "a value changes when it is sent on");
}

}  // namespace
}  // namespace taskpipe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace taskpipe::fuzz;  // NOLINT(google-build-using-namespace)
  namespace protocol = taskpipe::protocol;
  Bytes in(text_of(data, size));
  switch (in.byte() % 3) {
    case 0: check(in.rest(), protocol::decode_params, protocol::encode_params); break;
    case 1: check(in.rest(), protocol::decode_report, protocol::encode_report); break;
    default:
      check(in.rest(), protocol::decode_value,
            [](const taskpipe::Value& value) { return protocol::encode_value(value, "value"); });
      break;
  }
  return 0;
}
