#include "common/process/suggestion.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace taskpipe::process {
namespace {

constexpr std::size_t kMaxComparedBytes = 64;  // the cost grows with the square
constexpr std::size_t kMinPrefixBytes = 3;

// Optimal string alignment: Levenshtein's distance, where a swap of neighbours counts one.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitution});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest_name(std::string_view wanted, const std::vector<std::string>& names) {
  if (wanted.empty() || wanted.size() > kMaxComparedBytes) return "";
  std::string nearest;
  std::size_t smallest = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const std::string& name : names) {
    const std::size_t d = distance(wanted, name);
    if (d < smallest) {
      smallest = d;
      nearest = name;
    }
  }
  if (!nearest.empty() || wanted.size() < kMinPrefixBytes) return nearest;
  const auto begins = [&](const std::string& name) { return name.starts_with(wanted); };
  if (std::count_if(names.begin(), names.end(), begins) != 1) return "";
  return *std::find_if(names.begin(), names.end(), begins);
}

}  // namespace taskpipe::process
