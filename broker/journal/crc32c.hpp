// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78; RFC 3720 appendix B.4), by the processor's
// own instruction where it has one: about 0.05 ns per byte there, 0.6 ns with the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace taskpipe::broker {

// The checksum of what `crc` covers followed by `bytes`; start with 0. Thread-safe.
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> bytes);

// The fallback, for machines without the instruction and for the test that compares the two.
[[nodiscard]] std::uint32_t crc32c_portable(std::uint32_t crc, std::span<const std::byte> bytes);

}  // namespace taskpipe::broker
