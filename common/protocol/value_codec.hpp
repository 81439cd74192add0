// What travels inside payloads: params, handler results, run reports. Encoded and read by clients
// and workers only; the broker passes payloads on unread. Same strictness as codec.hpp.
#pragma once

#include <span>
#include <string_view>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/payload.hpp"
#include "common/model/run_report.hpp"
#include "common/model/task.hpp"
#include "common/model/value.hpp"

namespace taskpipe::protocol {

// INVALID naming the place for NaN, infinities, empty keys, too deep nesting; TOO_BIG past
// limits::kMaxPayloadBytes. Map keys are written in order: equal params have equal bytes.
[[nodiscard]] tl::expected<Payload, Error> encode_params(const ValueMap& params);
[[nodiscard]] tl::expected<ValueMap, Error> decode_params(std::span<const std::byte> bytes);

[[nodiscard]] tl::expected<Payload, Error> encode_value(const Value& value, std::string_view root);
[[nodiscard]] tl::expected<Value, Error> decode_value(std::span<const std::byte> bytes);

// TOO_BIG past limits::kMaxResultBytes.
[[nodiscard]] tl::expected<Payload, Error> encode_report(const RunReport& report);
[[nodiscard]] tl::expected<RunReport, Error> decode_report(std::span<const std::byte> bytes);

// XXH3-128 of the encoded params.
[[nodiscard]] ParamsHash hash_params(const Payload& params);

}  // namespace taskpipe::protocol
