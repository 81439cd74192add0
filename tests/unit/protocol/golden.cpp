#include "tests/unit/protocol/golden.hpp"

#include <stdexcept>

#include "common/protocol/value_codec.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::protocol::samples {
namespace {

constexpr std::string_view kPreamble =
    "# Every message of the protocol as bytes; docs/protocol.md explains them.\n"
    "# Written by taskpipe_write_golden from tests/unit/protocol/samples.cpp. A change here is a\n"
    "# change of the wire: rewrite it only on purpose.\n"
    "# name: header body blob…   |   EVENT name: topic position body   |   PAYLOAD name: bytes\n";

std::string_view text_of(FrameView frame) {
  return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 0xfU];
  }
  return hex;
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::string golden_text() {
  std::string text(kPreamble);
  for (const Sample& sample : all()) {
    const auto encoded =
        encode(sample.message, Correlation(kCorrelation), SessionId(kSession), sample.flags);
    if (!encoded) throw std::runtime_error(sample.name + ": " + encoded.error().text);
    text += sample.name + ":";
    for (const FrameView frame : frames_of(*encoded)) text += " " + to_hex(text_of(frame));
    text += "\n";
  }
  for (const Sample& sample : events()) {
    const auto encoded = encode_events("task.lammps.", std::get<Events>(sample.message));
    text += "EVENT " + sample.name.substr(sample.name.find(' ') + 1) + ": " +
            to_hex(encoded.topic) + " " + to_hex(text_of(encoded.position)) + " " +
            to_hex(encoded.body) + "\n";
  }
  text += "PAYLOAD params: " + to_hex(encode_params(params())->text()) + "\n";
  text += "PAYLOAD report: " + to_hex(encode_report(report())->text()) + "\n";
  return text;
}

}  // namespace taskpipe::protocol::samples
