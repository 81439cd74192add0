// Distinct types for distinct identities.
//
// A StrongId wraps an integer so that a session number cannot be passed where an epoch is meant.
// Conversion is explicit in both directions. Value type, no allocation, safe to copy anywhere.
//
//   using Epoch = StrongId<struct EpochTag, std::uint64_t>;
//   Epoch next{current.value() + 1};
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace taskpipe {

template <class Tag, class Rep>
class StrongId {
 public:
  using rep = Rep;

  constexpr StrongId() = default;
  explicit constexpr StrongId(Rep value) : value_(value) {}

  [[nodiscard]] constexpr Rep value() const { return value_; }
  // The following identity in counting order; the caller owes that the range is not exhausted.
  [[nodiscard]] constexpr StrongId next() const { return StrongId(static_cast<Rep>(value_ + 1)); }

  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;

 private:
  Rep value_{};
};

}  // namespace taskpipe

template <class Tag, class Rep>
struct std::hash<taskpipe::StrongId<Tag, Rep>> {
  std::size_t operator()(const taskpipe::StrongId<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
