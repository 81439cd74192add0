// Deterministic messages: one with every field set and one with as little as possible, for every
// type. The golden vectors are made from them, and most codec tests run over all of them.
#pragma once

#include <string>
#include <vector>

#include "common/model/messages.hpp"
#include "common/model/run_report.hpp"
#include "common/protocol/codec.hpp"

namespace taskpipe::protocol::samples {

struct Sample {
  std::string name;  // "SUBMIT full"
  Message message;
  std::uint16_t flags = 0;
};

// Two per alternative of Message.
[[nodiscard]] std::vector<Sample> all();

[[nodiscard]] std::vector<Sample> session();
[[nodiscard]] std::vector<Sample> client();
[[nodiscard]] std::vector<Sample> status();
[[nodiscard]] std::vector<Sample> worker();
[[nodiscard]] std::vector<Sample> watching();
[[nodiscard]] std::vector<Sample> bulk();
[[nodiscard]] std::vector<Sample> events();

[[nodiscard]] ValueMap params();
[[nodiscard]] RunReport report();

[[nodiscard]] TaskId task_id(std::uint32_t index);
[[nodiscard]] WorkflowId workflow_id();
[[nodiscard]] AttemptKey attempt(std::uint32_t index);
[[nodiscard]] TaskSpecPtr full_spec();
[[nodiscard]] TaskSpecPtr minimal_spec();
[[nodiscard]] Payload large_payload();  // travels as a blob

inline constexpr std::uint64_t kCorrelation = 0x0102030405060708ULL;
inline constexpr std::uint64_t kSession = 0x1112131415161718ULL;

// Frames of an encoded message, as they would arrive. Views into `message`.
[[nodiscard]] std::vector<FrameView> frames_of(const EncodedMessage& message);
[[nodiscard]] FrameView view(std::string_view text);

}  // namespace taskpipe::protocol::samples
