#include "common/model/resources.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace taskpipe {
namespace {

const NamedResource* find(const std::vector<NamedResource>& named, std::string_view name) {
  const auto it = std::lower_bound(named.begin(), named.end(), name,
                                   [](const NamedResource& resource, std::string_view wanted) {
                                     return resource.name < wanted;
                                   });
  return it != named.end() && it->name == name ? &*it : nullptr;
}

NamedResource* find(std::vector<NamedResource>& named, std::string_view name) {
  return const_cast<NamedResource*>(find(std::as_const(named), name));
}

// More than can be counted is as unobtainable as the most that can.
std::uint64_t saturated_sum(std::uint64_t a, std::uint64_t b) {
  constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
  return a > kMost - b ? kMost : a + b;
}

}  // namespace

void normalize(Resources& resources) {
  auto& named = resources.named;
  std::sort(named.begin(), named.end());
  std::vector<NamedResource> merged;
  for (auto& resource : named) {
    if (!merged.empty() && merged.back().name == resource.name) {
      merged.back().amount = saturated_sum(merged.back().amount, resource.amount);
    } else {
      merged.push_back(std::move(resource));
    }
  }
  std::erase_if(merged, [](const NamedResource& resource) { return resource.amount == 0; });
  named = std::move(merged);
}

bool fits(const Resources& need, const Resources& free) {
  return first_shortage(need, free).empty();
}

std::string_view first_shortage(const Resources& need, const Resources& total) {
  if (need.cpus > total.cpus) return "cpus";
  if (need.gpus > total.gpus) return "gpus";
  if (need.memory_bytes > total.memory_bytes) return "memory_bytes";
  for (const auto& resource : need.named) {
    const NamedResource* have = find(total.named, resource.name);
    if (have == nullptr || have->amount < resource.amount) return resource.name;
  }
  return {};
}

void subtract(Resources& free, const Resources& need) {
  assert(fits(need, free));
  free.cpus -= need.cpus;
  free.gpus -= need.gpus;
  free.memory_bytes -= need.memory_bytes;
  for (const auto& resource : need.named)
    find(free.named, resource.name)->amount -= resource.amount;
}

void add(Resources& free, const Resources& need) {
  free.cpus += need.cpus;
  free.gpus += need.gpus;
  free.memory_bytes += need.memory_bytes;
  for (const auto& resource : need.named) {
    NamedResource* have = find(free.named, resource.name);
    assert(have != nullptr);
    if (have != nullptr) have->amount += resource.amount;
  }
}

}  // namespace taskpipe
