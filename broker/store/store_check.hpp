// The store of a data folder that nobody serves: checking and copying it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"

namespace taskpipe::broker {

struct StoreCheck {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t unfinished = 0;     // uploads; the next PUT continues them
  std::vector<std::string> damage;  // sentences
};

// Counts; `with_contents` reads every file and compares its hash. A folder without a store has an
// empty one.
[[nodiscard]] StoreCheck check_store(const std::string& data_dir, bool with_contents);

// Whole files only, by hard links where both folders are on one file system (a file of the store
// never changes), else by copies. A broker may use `from` meanwhile: what it removes is left out.
[[nodiscard]] tl::expected<void, Error> copy_store(const std::string& from, const std::string& to);

}  // namespace taskpipe::broker
