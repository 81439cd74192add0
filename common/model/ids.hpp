// The identities of the system.
//
// Small counters (session, epoch, attempt, LSN) are StrongIds. Things that must be unique without
// asking anybody (tasks, workflows, peers, brokers) are 128-bit UniqueIds, which travel as 16 bytes
// big-endian and are shown as 32 lower-case hex digits.
//
// A task id is 48 bits of milliseconds since 1970, 48 random bits and a 32-bit index. One random
// prefix is drawn per batch and the index counts within it: independent random ids at full speed
// would collide, and an array needs only its base id and its length. Ids of one millisecond are
// unordered among each other; first-in-first-out goes by arrival number instead.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/model/strong_id.hpp"

namespace taskpipe {

inline constexpr std::size_t kUniqueIdBytes = 16;

namespace detail {
std::string to_hex(std::uint64_t high, std::uint64_t low);
bool parse_hex(std::string_view text, std::uint64_t& high, std::uint64_t& low);
}  // namespace detail

template <class Tag>
class UniqueId {
 public:
  using Bytes = std::array<std::byte, kUniqueIdBytes>;

  constexpr UniqueId() = default;
  constexpr UniqueId(std::uint64_t high, std::uint64_t low) : high_(high), low_(low) {}

  [[nodiscard]] static constexpr UniqueId from_bytes(std::span<const std::byte, kUniqueIdBytes> b) {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      high = (high << 8U) | std::to_integer<std::uint64_t>(b[i]);
      low = (low << 8U) | std::to_integer<std::uint64_t>(b[i + 8]);
    }
    return UniqueId(high, low);
  }
  // Nothing when the text is not exactly 32 hex digits.
  [[nodiscard]] static std::optional<UniqueId> parse(std::string_view text) {
    UniqueId id;
    if (!detail::parse_hex(text, id.high_, id.low_)) return std::nullopt;
    return id;
  }

  [[nodiscard]] constexpr Bytes bytes() const {
    Bytes b{};
    for (std::size_t i = 0; i < 8; ++i) {
      b[i] = static_cast<std::byte>(high_ >> (56U - 8U * i));
      b[i + 8] = static_cast<std::byte>(low_ >> (56U - 8U * i));
    }
    return b;
  }
  [[nodiscard]] std::string to_string() const { return detail::to_hex(high_, low_); }
  [[nodiscard]] constexpr std::uint64_t high() const { return high_; }
  [[nodiscard]] constexpr std::uint64_t low() const { return low_; }
  [[nodiscard]] constexpr bool is_nil() const { return high_ == 0 && low_ == 0; }

  friend constexpr auto operator<=>(const UniqueId&, const UniqueId&) = default;

 private:
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

using TaskId = UniqueId<struct TaskTag>;
using WorkflowId = UniqueId<struct WorkflowTag>;
using PeerUuid = UniqueId<struct PeerTag>;        // a client or worker installation; persists
using BulkToken = UniqueId<struct BulkTokenTag>;  // shows a session to the bulk port
using BrokerUuid = UniqueId<struct BrokerTag>;    // a broker's data folder; persists

using Epoch = StrongId<struct EpochTag, std::uint64_t>;        // counts the broker's starts, from 1
using SessionId = StrongId<struct SessionTag, std::uint64_t>;  // one per accepted HELLO; 0 = none
using Attempt =
    StrongId<struct AttemptTag, std::uint32_t>;      // counts dispatches of one task, from 1
using Lsn = StrongId<struct LsnTag, std::uint64_t>;  // number of a journal record, from 1
using Arrival = StrongId<struct ArrivalTag, std::uint64_t>;  // order in which tasks were accepted
using Correlation =
    StrongId<struct CorrelationTag, std::uint64_t>;  // pairs a reply with its request

// The fence of one execution: a result counts only while this is the task's current attempt.
struct AttemptKey {
  TaskId task;
  Epoch epoch;  // of the dispatch
  Attempt attempt;
  friend constexpr auto operator<=>(const AttemptKey&, const AttemptKey&) = default;
};

// The part of a task id that a batch shares.
struct TaskIdPrefix {
  std::uint64_t unix_ms = 0;      // low 48 bits are used
  std::uint64_t random_bits = 0;  // low 48 bits are used

  [[nodiscard]] constexpr TaskId id(std::uint32_t index) const {
    constexpr std::uint64_t kMask48 = (std::uint64_t{1} << 48U) - 1;
    const std::uint64_t random = random_bits & kMask48;
    return TaskId(((unix_ms & kMask48) << 16U) | (random >> 32U), (random << 32U) | index);
  }
};

// Milliseconds since 1970 at which the id was made, by its maker's clock. For people only.
[[nodiscard]] constexpr std::uint64_t unix_ms_of(const TaskId& id) { return id.high() >> 16U; }

}  // namespace taskpipe

template <class Tag>
struct std::hash<taskpipe::UniqueId<Tag>> {
  std::size_t operator()(const taskpipe::UniqueId<Tag>& id) const noexcept {
    // Ids of a batch differ only in the low bits of `low`, and are mostly looked up in their order.
    // Sixteen of them stay neighbours, in a table as in its cache lines; a multiply spreads these
    // groups. A group begins anywhere within its sixteen places: single tasks have all the index 0.
    constexpr unsigned kGroupBits = 4;
    std::uint64_t x = (id.low() >> kGroupBits) ^ (id.high() * 0x9e3779b97f4a7c15ULL);
    x ^= x >> 32U;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32U;
    const std::uint64_t place = (id.low() ^ (x >> (64U - kGroupBits))) & ((1U << kGroupBits) - 1);
    return static_cast<std::size_t>(x << kGroupBits | place);
  }
};

template <>
struct std::hash<taskpipe::AttemptKey> {
  std::size_t operator()(const taskpipe::AttemptKey& key) const noexcept {
    return std::hash<taskpipe::TaskId>{}(key.task) ^
           (key.attempt.value() * std::size_t{0x9e3779b97f4a7c15ULL}) ^ (key.epoch.value() << 7U);
  }
};
