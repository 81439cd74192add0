// A bulk port around a store in memory, driven by hand.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/bulk/transfers.hpp"
#include "common/model/limits.hpp"
#include "tests/support/memory_blobs.hpp"

namespace taskpipe::broker {

class BulkTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kChunk = limits::kBulkChunkBytes;
  static constexpr std::uint64_t kWindow = limits::kBulkWindowBytes;

  // A session with a connection to the port: its number is the session's.
  void connect(std::uint64_t routing, std::uint64_t session = 1, std::uint64_t connection = 0) {
    transfers.session_opened(SessionId(session), token_of(session));
    say(routing, Correlation{}, BulkHello{token_of(session), connection}, session);
    ASSERT_TRUE(take<BulkWelcome>(routing)) << "not admitted";
    session_of[routing] = session;
  }
  static BulkToken token_of(std::uint64_t session) { return BulkToken(77, session); }
  void say(std::uint64_t routing, Correlation correlation, Message message,
           std::optional<std::uint64_t> session = {}) {
    transfers.on_message(routing, SessionId(session.value_or(session_of[routing])), correlation,
                         message, now, sends);
  }
  void say(std::uint64_t routing, std::uint64_t number, Message message) {
    say(routing, Correlation(number), std::move(message), std::nullopt);
  }
  // The first waiting message of that kind for the peer, taken out.
  template <class M>
  std::optional<M> take(std::uint64_t routing, std::optional<std::uint64_t> number = {}) {
    for (auto it = sends.begin(); it != sends.end(); ++it) {
      const bool fits = it->to.routing == routing && std::holds_alternative<M>(it->message) &&
                        (!number || it->to.correlation.value() == *number);
      if (!fits) continue;
      M message = std::get<M>(it->message);
      sends.erase(it);
      return message;
    }
    return std::nullopt;
  }
  std::optional<ErrorCode> refusal(std::uint64_t routing) {
    const auto error = take<ErrorReply>(routing);
    return error ? std::optional(error->error.code) : std::nullopt;
  }
  static PutData piece(std::string_view content, std::uint64_t offset, std::uint64_t length) {
    return {offset, Payload(content.substr(offset, length))};
  }

  MemoryBlobs store;
  Transfers transfers{store};
  BulkSends sends;
  MonotonicTime now;
  std::map<std::uint64_t, std::uint64_t> session_of;
};

}  // namespace taskpipe::broker
