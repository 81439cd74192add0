// Durations and sizes as people write them.
//
//   duration  500ms 30s 5m 2h 1d   a whole number and its unit; 0 needs none
//   size      4096 64K 10M 2G 1T   powers of 1024, as dd and systemd read them; 64Ki and 64KiB are
//                                  the same
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/time.hpp"

namespace taskpipe::process {

// INVALID with a text that says what was expected ("'5x' is no duration: write …"); `field` is left
// to the caller, who knows it. Never negative; overflow is refused.
[[nodiscard]] tl::expected<Millis, Error> parse_duration(std::string_view text);
[[nodiscard]] tl::expected<std::uint64_t, Error> parse_size(std::string_view text);

// The shortest text that reads back as the same: "90s", "2h", "1500ms"; "64K", "4097".
// `duration` is not negative.
[[nodiscard]] std::string to_text(Millis duration);
[[nodiscard]] std::string size_to_text(std::uint64_t bytes);

}  // namespace taskpipe::process
