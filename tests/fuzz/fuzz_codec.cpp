// The decoder over arbitrary frames: it refuses or reads, and what it reads can be sent on.
#include "tests/fuzz/frames.hpp"

namespace taskpipe::fuzz {
namespace {

// Any frames at all: a length of 16 bits before each.
void decode_raw(Bytes in) {
  Frames frames;
  while (!in.empty()) {
    const std::size_t length = in.word();
    frames.add(in.take(length));
  }
  const auto decoded = protocol::decode(frames.views());
  if (decoded) check_round_trip(decoded->message);
}

void decode_events(Bytes in) {
  Frames frames;
  frames.add(in.take(protocol::kHeaderBytes));
  frames.add(in.rest());
  const auto views = frames.views();
  const auto events = protocol::decode_events(views[0], views[1]);
  if (events) {
    check_publishable("id.", *events);
    check_round_trip(*events);
  }
}

}  // namespace
}  // namespace taskpipe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace taskpipe::fuzz;  // NOLINT(google-build-using-namespace)
  Bytes in(text_of(data, size));
  switch (in.byte() % 4) {
    case 0: decode_raw(in); break;
    case 1: decode_events(in); break;
    default:
      if (const auto decoded = decode_spelled(in.rest())) check_round_trip(decoded->message);
      break;
  }
  return 0;
}
