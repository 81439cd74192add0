// Records for tests: plain ones that tell their number, and random ones of every kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "broker/core/record.hpp"

namespace taskpipe::testing {

// A record that differs for every number, and takes about `bytes` more on disk.
[[nodiscard]] broker::Record numbered_record(Lsn lsn, std::size_t bytes = 0);

// `count` of them, for the numbers from `first` on.
[[nodiscard]] std::vector<broker::Record> numbered_records(Lsn first, std::size_t count,
                                                           std::size_t bytes = 0);

// Well-formed, with fields that are sometimes empty, sometimes at their extremes.
[[nodiscard]] broker::Record random_record(std::mt19937_64& random);
// Of the alternative with that index within the variant.
[[nodiscard]] broker::Record random_record(std::mt19937_64& random, std::size_t alternative);

}  // namespace taskpipe::testing
