#include "client/cli/quantities.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <ctime>

namespace taskpipe::cli {
namespace {

constexpr std::size_t kLongestNumber = 64;

[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...) {
  std::array<char, kLongestNumber> buffer{};
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer.data(), buffer.size(), format, arguments);
  va_end(arguments);
  return buffer.data();
}

std::string local_time(WallTime time, const char* format) {
  if (time.unix_ms == 0) return "-";
  const auto seconds = static_cast<std::time_t>(time.unix_ms / 1000);
  std::tm parts{};
  if (::localtime_r(&seconds, &parts) == nullptr) return "-";
  std::array<char, kLongestNumber> buffer{};
  return {buffer.data(), std::strftime(buffer.data(), buffer.size(), format, &parts)};
}

void append_amount(std::string& text, const std::string& amount) {
  if (!text.empty()) text += ", ";
  text += amount;
}

}  // namespace

std::string duration_text(Micros duration) {
  const std::int64_t us = duration.count() < 0 ? 0 : duration.count();
  // Rounded first, so that 59.96 s shows as a minute and not as "60.0 s".
  if (us < 1'000'000) return formatted("%lld ms", static_cast<long long>(us / 1000));
  const double seconds = static_cast<double>(us) / 1e6;
  if (us < 9'995'000) return formatted("%.2f s", seconds);
  if (us < 59'950'000) return formatted("%.1f s", seconds);
  const long long whole = (us + 500'000) / 1'000'000;
  if (whole < 3600) return formatted("%lldm %02llds", whole / 60, whole % 60);
  if (whole < 86'400) return formatted("%lldh %02lldm", whole / 3600, whole / 60 % 60);
  return formatted("%lldd %02lldh", whole / 86'400, whole / 3600 % 24);
}

std::string stopwatch_text(Millis duration) {
  const long long seconds = duration.count() < 0 ? 0 : duration.count() / 1000;
  if (seconds < 3600) return formatted("%lld:%02lld", seconds / 60, seconds % 60);
  return formatted("%lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return formatted("%llu B", static_cast<unsigned long long>(bytes));
  double amount = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (amount >= 1023.95 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  return formatted("%.1f %s", amount, kUnits[unit]);
}

std::string number_text(double value) { return formatted("%.6g", value); }

std::string resources_text(const Resources& resources) {
  std::string text;
  if (resources.cpus > 0) {
    append_amount(text, formatted("%u cpu%s", resources.cpus, resources.cpus == 1 ? "" : "s"));
  }
  if (resources.gpus > 0) {
    append_amount(text, formatted("%u gpu%s", resources.gpus, resources.gpus == 1 ? "" : "s"));
  }
  if (resources.memory_bytes > 0) append_amount(text, bytes_text(resources.memory_bytes));
  for (const NamedResource& named : resources.named) {
    append_amount(text, named.name + "=" + std::to_string(named.amount));
  }
  return text.empty() ? "-" : text;
}

std::string date_time_text(WallTime time) { return local_time(time, "%Y-%m-%d %H:%M:%S"); }

std::string time_of_day_text(WallTime time) { return local_time(time, "%H:%M:%S"); }

Millis between(WallTime from, WallTime to) {
  if (from.unix_ms == 0 || to.unix_ms < from.unix_ms) return Millis::zero();
  return Millis(to.unix_ms - from.unix_ms);
}

}  // namespace taskpipe::cli
