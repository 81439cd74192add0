// Strings that repeat (owners, tools) as small numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/model/strong_id.hpp"

namespace taskpipe::broker {

// Numbers count from 0 in the order of first use and are never given back: the strings come from
// authenticated or rate-limited sources and are bounded by limits::kMaxNameBytes.
template <class Index>
class NameTable {
 public:
  Index intern(std::string_view name) {
    const auto found = index_.find(std::string(name));
    if (found != index_.end()) return found->second;
    const Index index(static_cast<typename Index::rep>(names_.size()));
    names_.emplace_back(name);
    index_.emplace(names_.back(), index);
    return index;
  }
  [[nodiscard]] const std::string& name(Index index) const { return names_.at(index.value()); }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, Index> index_;
};

using OwnerIndex = StrongId<struct OwnerTag, std::uint32_t>;

}  // namespace taskpipe::broker
