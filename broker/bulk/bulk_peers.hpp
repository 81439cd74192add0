// Who may transfer files, and what an answer to them is.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "common/model/ids.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::broker {

// A transfer, by its peer's connection and the number that the peer gave it.
struct TransferRef {
  std::uint64_t routing = 0;
  Correlation correlation;
  friend auto operator<=>(const TransferRef&, const TransferRef&) = default;
};

// A message for a peer, in the order in which they were asked for.
struct BulkSend {
  TransferRef to;
  SessionId session;
  Message message;
};
using BulkSends = std::vector<BulkSend>;

}  // namespace taskpipe::broker
