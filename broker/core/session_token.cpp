#include "broker/core/session_token.hpp"

#include <bit>

namespace taskpipe::broker {
namespace {

struct SipState {
  std::uint64_t v0;
  std::uint64_t v1;
  std::uint64_t v2;
  std::uint64_t v3;

  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  }
  void absorb(std::uint64_t word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  [[nodiscard]] std::uint64_t sum() const { return v0 ^ v1 ^ v2 ^ v3; }
};

}  // namespace

BulkToken token_of(const TokenSecret& secret, SessionId session) {
  SipState state{secret.first ^ 0x736f6d6570736575ULL, secret.second ^ 0x646f72616e646f6dULL,
                 secret.first ^ 0x6c7967656e657261ULL, secret.second ^ 0x7465646279746573ULL};
  state.v1 ^= 0xee;  // 128 bits are wanted
  state.absorb(session.value());
  state.absorb(std::uint64_t{8} << 56U);  // the length of what was hashed
  state.v2 ^= 0xee;
  state.rounds(4);
  const std::uint64_t high = state.sum();
  state.v1 ^= 0xdd;
  state.rounds(4);
  return BulkToken(high, state.sum());
}

}  // namespace taskpipe::broker
