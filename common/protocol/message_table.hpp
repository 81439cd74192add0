// Type number and name of every message, in the order of the alternatives of Message. Private to
// common/protocol.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "common/protocol/envelope.hpp"

namespace taskpipe::protocol {

struct MessageEntry {
  MessageType type;
  std::string_view name;
};

inline constexpr std::array<MessageEntry, std::variant_size_v<MessageVariant>> kMessageTable = {{
    {MessageType::who, "WHO"},
    {MessageType::hello, "HELLO"},
    {MessageType::welcome, "WELCOME"},
    {MessageType::ping, "PING"},
    {MessageType::pong, "PONG"},
    {MessageType::bye, "BYE"},
    {MessageType::error, "ERROR"},
    {MessageType::submit, "SUBMIT"},
    {MessageType::submit_ack, "SUBMIT_ACK"},
    {MessageType::workflow, "WORKFLOW"},
    {MessageType::workflow_ack, "WORKFLOW_ACK"},
    {MessageType::wait, "WAIT"},
    {MessageType::done, "DONE"},
    {MessageType::query, "QUERY"},
    {MessageType::rows, "ROWS"},
    {MessageType::resubmit, "RESUBMIT"},
    {MessageType::resubmit_ack, "RESUBMIT_ACK"},
    {MessageType::cancel, "CANCEL"},
    {MessageType::cancel_ack, "CANCEL_ACK"},
    {MessageType::fetch, "FETCH"},
    {MessageType::chunk, "CHUNK"},
    {MessageType::tools, "TOOLS"},
    {MessageType::tools_reply, "TOOLS_REPLY"},
    {MessageType::workers, "WORKERS"},
    {MessageType::workers_reply, "WORKERS_REPLY"},
    {MessageType::health, "HEALTH"},
    {MessageType::health_reply, "HEALTH_REPLY"},
    {MessageType::reconcile, "RECONCILE"},
    {MessageType::credit, "CREDIT"},
    {MessageType::tasks, "TASKS"},
    {MessageType::tasks_ack, "TASKS_ACK"},
    {MessageType::recall, "RECALL"},
    {MessageType::returned, "RETURNED"},
    {MessageType::started, "STARTED"},
    {MessageType::progress, "PROGRESS"},
    {MessageType::log, "LOG"},
    {MessageType::result, "RESULT"},
    {MessageType::result_ack, "RESULT_ACK"},
    {MessageType::kill, "KILL"},
    {MessageType::drain, "DRAIN"},
    {MessageType::drained, "DRAINED"},
    {MessageType::events, "EVENTS"},
    {MessageType::watch, "WATCH"},
    {MessageType::watch_credit, "WATCH_CREDIT"},
    {MessageType::snapshot, "SNAPSHOT"},
    {MessageType::snap, "SNAP"},
    {MessageType::bulk_hello, "BULK_HELLO"},
    {MessageType::bulk_welcome, "BULK_WELCOME"},
    {MessageType::put, "PUT"},
    {MessageType::put_state, "PUT_STATE"},
    {MessageType::put_data, "PUT_DATA"},
    {MessageType::get, "GET"},
    {MessageType::get_data, "GET_DATA"},
    {MessageType::get_credit, "GET_CREDIT"},
    {MessageType::bulk_cancel, "BULK_CANCEL"},
}};

inline constexpr std::size_t kNoMessage = kMessageTable.size();

inline constexpr auto kMessageIndices = [] {
  std::array<std::uint8_t, 256> indices{};
  for (auto& index : indices) index = static_cast<std::uint8_t>(kNoMessage);
  for (std::size_t i = 0; i < kMessageTable.size(); ++i) {
    indices[static_cast<std::uint8_t>(kMessageTable[i].type)] = static_cast<std::uint8_t>(i);
  }
  return indices;
}();

// From a type number to the alternative of Message, or kNoMessage. O(1).
[[nodiscard]] constexpr std::size_t index_of(std::uint8_t type) { return kMessageIndices[type]; }

}  // namespace taskpipe::protocol
