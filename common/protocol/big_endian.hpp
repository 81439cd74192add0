// Integers in network byte order. Private to common/protocol.
#pragma once

#include <cstddef>
#include <type_traits>

namespace taskpipe::protocol {

// `from` and `to` address sizeof(Integer) bytes. Compilers turn the loops into one load and a swap.
template <class Integer>
[[nodiscard]] Integer load_big_endian(const std::byte* from) {
  static_assert(std::is_unsigned_v<Integer>);
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value = static_cast<Integer>((value << 8U) | std::to_integer<Integer>(from[i]));
  }
  return value;
}

template <class Integer>
void store_big_endian(std::byte* to, Integer value) {
  static_assert(std::is_unsigned_v<Integer>);
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    to[i] = static_cast<std::byte>(value >> (8U * (sizeof(Integer) - 1 - i)));
  }
}

}  // namespace taskpipe::protocol
