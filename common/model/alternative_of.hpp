// One of the types that a variant may hold.
#pragma once

#include <concepts>
#include <variant>

namespace taskpipe {

template <class T, class Variant>
struct IsAlternative;
template <class T, class... Types>
struct IsAlternative<T, std::variant<Types...>> {
  static constexpr bool value = (std::same_as<T, Types> || ...);
};

template <class T, class Variant>
concept AlternativeOf = IsAlternative<T, Variant>::value;

}  // namespace taskpipe
