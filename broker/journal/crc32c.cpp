#include "broker/journal/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace taskpipe::broker {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78U;
constexpr std::size_t kSlices = 8;
using Tables = std::array<std::array<std::uint32_t, 256>, kSlices>;

// Slicing by eight (Kounavis and Berry, 2005): kTables[k][b] is what byte b contributes when k more
// bytes follow it.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (std::size_t k = 1; k < kSlices; ++k) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t shorter = tables[k - 1][i];
      tables[k][i] = (shorter >> 8U) ^ tables[0][shorter & 0xffU];
    }
  }
  return tables;
}
constexpr Tables kTables = make_tables();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::uint32_t crc,
                                                             std::span<const std::byte> bytes) {
  std::uint64_t state = ~crc;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= sizeof(std::uint64_t);
       left -= sizeof(std::uint64_t), at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    state = _mm_crc32_u64(state, word);
  }
  auto narrow = static_cast<std::uint32_t>(state);
  for (; left > 0; --left, ++at) narrow = _mm_crc32_u8(narrow, std::to_integer<std::uint8_t>(*at));
  return ~narrow;
}

bool has_sse42() {
  static const bool supported = __builtin_cpu_supports("sse4.2") != 0;
  return supported;
}
#endif

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t crc, std::span<const std::byte> bytes) {
  std::uint32_t state = ~crc;
  const auto byte_at = [&bytes](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
  std::size_t i = 0;
  for (; bytes.size() - i >= kSlices; i += kSlices) {
    state = kTables[7][(state ^ byte_at(i)) & 0xffU] ^
            kTables[6][((state >> 8U) ^ byte_at(i + 1)) & 0xffU] ^
            kTables[5][((state >> 16U) ^ byte_at(i + 2)) & 0xffU] ^
            kTables[4][(state >> 24U) ^ byte_at(i + 3)] ^ kTables[3][byte_at(i + 4)] ^
            kTables[2][byte_at(i + 5)] ^ kTables[1][byte_at(i + 6)] ^ kTables[0][byte_at(i + 7)];
  }
  for (; i < bytes.size(); ++i) state = (state >> 8U) ^ kTables[0][(state ^ byte_at(i)) & 0xffU];
  return ~state;
}

std::uint32_t crc32c(std::uint32_t crc, std::span<const std::byte> bytes) {
#if defined(__x86_64__)
  if (has_sse42()) return crc32c_sse42(crc, bytes);
#endif
  return crc32c_portable(crc, bytes);
}

}  // namespace taskpipe::broker
