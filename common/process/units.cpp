#include "common/process/units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace taskpipe::process {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: the first that divides a value is the one to show it in.
constexpr std::array<Unit, 5> kDurationUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 5> kSizeUnits = {
    {{"T", 1ULL << 40U}, {"G", 1ULL << 30U}, {"M", 1ULL << 20U}, {"K", 1ULL << 10U}, {"", 1}}};

constexpr std::string_view kDurationForms =
    "write a whole number and its unit, such as 500ms, 30s, 5m, 2h or 1d";
constexpr std::string_view kSizeForms =
    "write a whole number of bytes, or one with its unit, such as 64K, 10M or 2G";

Error refuse(std::string_view text, std::string_view what, std::string_view remedy) {
  return Error{ErrorCode::invalid,
               "'" + std::string(text) + "' is " + std::string(what) + ": " + std::string(remedy),
               {}};
}

struct Quantity {
  std::uint64_t number;
  std::string_view unit;
};

// Digits and what follows them; nothing when there are no digits or too many.
std::optional<Quantity> split(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc()) return std::nullopt;
  return Quantity{number, std::string_view(rest, static_cast<std::size_t>(end - rest))};
}

template <std::size_t N>
std::string shortest(std::uint64_t value, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) return std::to_string(value / unit.factor).append(unit.name);
  }
  return std::to_string(value);
}

// "K", "k", "Ki", "KiB" → "K". What is no such form stays as it is and matches no unit.
std::string plain_size_unit(std::string_view unit) {
  std::string plain(unit);
  if (plain.size() == 3 && plain.ends_with("iB")) plain.resize(1);
  if (plain.size() == 2 && plain.ends_with("i")) plain.resize(1);
  if (plain == "k") plain = "K";
  if (plain == "B") plain = "";
  return plain;
}

}  // namespace

tl::expected<Millis, Error> parse_duration(std::string_view text) {
  if (text == "0") return Millis{0};
  const auto quantity = split(text);
  if (!quantity) return tl::unexpected(refuse(text, "no duration", kDurationForms));
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<Millis::rep>::max());
  for (const Unit& unit : kDurationUnits) {
    if (unit.name != quantity->unit) continue;
    if (quantity->number > kMax / unit.factor) {
      return tl::unexpected(refuse(text, "too long a duration", "write a shorter one"));
    }
    return Millis{static_cast<Millis::rep>(quantity->number * unit.factor)};
  }
  return tl::unexpected(refuse(text, "no duration", kDurationForms));
}

tl::expected<std::uint64_t, Error> parse_size(std::string_view text) {
  const auto quantity = split(text);
  if (!quantity) return tl::unexpected(refuse(text, "no size", kSizeForms));
  const std::string wanted = plain_size_unit(quantity->unit);
  for (const Unit& unit : kSizeUnits) {
    if (unit.name != wanted) continue;
    if (quantity->number > std::numeric_limits<std::uint64_t>::max() / unit.factor) {
      return tl::unexpected(refuse(text, "too large a size", "write a smaller one"));
    }
    return quantity->number * unit.factor;
  }
  return tl::unexpected(refuse(text, "no size", kSizeForms));
}

std::string to_text(Millis duration) {
  if (duration.count() == 0) return "0";
  return shortest(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::string size_to_text(std::uint64_t bytes) {
  if (bytes == 0) return "0";
  return shortest(bytes, kSizeUnits);
}

}  // namespace taskpipe::process
