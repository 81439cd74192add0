#include "tests/fuzz/script.hpp"

#include "tests/fuzz/frames.hpp"

namespace taskpipe::fuzz {

Script read_script(std::string_view input) {
  Script script;
  Bytes in(input);
  while (!in.empty() && script.size() < kMostSteps) {
    Step step;
    step.op = in.byte();
    step.arg = in.byte();
    const std::size_t length = in.word();
    step.payload = std::string(in.take(length));
    script.push_back(std::move(step));
  }
  return script;
}

std::string write_script(const Script& script) {
  std::string input;
  for (const Step& step : script) {
    const auto length = static_cast<std::uint16_t>(step.payload.size());
    input += static_cast<char>(step.op);
    input += static_cast<char>(step.arg);
    input += static_cast<char>(length & 0xffU);
    input += static_cast<char>(length >> 8U);
    input += step.payload.substr(0, length);
  }
  return input;
}

}  // namespace taskpipe::fuzz
