// The formats of msgpack by their first bytes. Private to common/protocol.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/protocol/big_endian.hpp"
#include "common/protocol/body_reader.hpp"

namespace taskpipe::protocol {

// The first byte of each format (https://github.com/msgpack/msgpack/blob/master/spec.md).
enum Tag : std::uint8_t {
  kFixMap = 0x80,  // low 4 bits: count
  kFixArray = 0x90,
  kFixText = 0xa0,  // low 5 bits: length
  kNil = 0xc0,
  kNeverUsed = 0xc1,
  kFalse = 0xc2,
  kTrue = 0xc3,
  kBin8 = 0xc4,
  kBin32 = 0xc6,
  kExt8 = 0xc7,
  kExt32 = 0xc9,
  kFloat32 = 0xca,
  kFloat64 = 0xcb,
  kUint8 = 0xcc,
  kUint64 = 0xcf,
  kInt8 = 0xd0,
  kInt64 = 0xd3,
  kFixExt1 = 0xd4,
  kFixExt16 = 0xd8,
  kText8 = 0xd9,
  kText32 = 0xdb,
  kArray16 = 0xdc,
  kArray32 = 0xdd,
  kMap16 = 0xde,
  kMap32 = 0xdf,
  kNegativeFixInt = 0xe0,
};

inline ValueKind kind_of(std::uint8_t tag) {
  if (tag < kFixMap || tag >= kNegativeFixInt) return ValueKind::integer;
  if (tag < kFixArray) return ValueKind::map;
  if (tag < kFixText) return ValueKind::list;
  if (tag < kNil) return ValueKind::text;
  if (tag == kNil) return ValueKind::nil;
  if (tag == kNeverUsed) return ValueKind::none;
  if (tag <= kTrue) return ValueKind::boolean;
  if (tag <= kBin32) return ValueKind::bin;
  if (tag <= kExt32) return ValueKind::extension;
  if (tag <= kFloat64) return ValueKind::floating;
  if (tag <= kInt64) return ValueKind::integer;
  if (tag <= kFixExt16) return ValueKind::extension;
  if (tag <= kText32) return ValueKind::text;
  return tag <= kArray32 ? ValueKind::list : ValueKind::map;
}

// 1 << width bytes.
inline std::uint64_t load_sized(const std::byte* at, unsigned width) {
  switch (width) {
    case 0: return std::to_integer<std::uint8_t>(*at);
    case 1: return load_big_endian<std::uint16_t>(at);
    case 2: return load_big_endian<std::uint32_t>(at);
    default: return load_big_endian<std::uint64_t>(at);
  }
}

}  // namespace taskpipe::protocol
