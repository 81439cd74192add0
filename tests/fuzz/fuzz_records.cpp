// Records of the journal: every record has one spelling, so what decodes encodes to the same bytes.
#include "broker/journal/record_codec.hpp"
#include "tests/fuzz/frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace taskpipe::fuzz;  // NOLINT(google-build-using-namespace)
  Frames frames;
  frames.add(text_of(data, size));
  const auto bytes = frames.views()[0];
  const auto record = taskpipe::broker::decode_record(bytes);
  if (!record) return 0;
  taskpipe::broker::ByteBuffer again;
  taskpipe::broker::encode_record(*record, again);
  require(std::ranges::equal(again.bytes(), bytes), "a record has two spellings");
  return 0;
}
