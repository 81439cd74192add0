// Where a reader of a stream of changes stands, and what of a message is new to it. Pure.
//
// Messages of one stream may reach a reader by two ways (the PUB channel and a WATCH), twice, or
// not at all. A place is a number up to which everything was told, and how many changes of the
// record after it: a record may change more tasks than a message may tell. With the same stream on
// both ways the changes of a record have one order, so that the two numbers say all.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/model/messages.hpp"

namespace taskpipe {

class StreamPlace {
 public:
  StreamPlace() = default;
  explicit StreamPlace(std::uint64_t seq, std::uint32_t ahead = 0) : seq_(seq), ahead_(ahead) {}

  // Everything up to this number was told.
  [[nodiscard]] std::uint64_t seq() const { return seq_; }
  // So many changes of the record after it were told as well.
  [[nodiscard]] std::uint32_t ahead() const { return ahead_; }

  // Whether nothing lies between this place and the message.
  [[nodiscard]] bool joins(const Events& events) const;
  // Whether the message tells nothing that was not told before.
  [[nodiscard]] bool covers(const Events& events) const;
  // The changes that are new, in order; the place is behind them afterwards. The message must join.
  [[nodiscard]] std::vector<TaskEvent> take(std::vector<TaskEvent> tasks, std::uint32_t offset,
                                            std::uint64_t seq);

  friend bool operator==(const StreamPlace&, const StreamPlace&) = default;

 private:
  std::uint64_t seq_ = 0;
  std::uint32_t ahead_ = 0;
};

}  // namespace taskpipe
