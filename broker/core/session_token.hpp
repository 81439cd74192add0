// What a session shows to the bulk port, which is another socket on another thread.
#pragma once

#include <cstdint>

#include "common/model/ids.hpp"

namespace taskpipe::broker {

struct TokenSecret {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

// SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012) of the session's number under
// the secret: who does not know the secret cannot tell it from random bits. Pure, so that the same
// secret makes the same tokens in a simulation.
[[nodiscard]] BulkToken token_of(const TokenSecret& secret, SessionId session);

}  // namespace taskpipe::broker
