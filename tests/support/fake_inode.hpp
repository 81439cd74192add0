// One file of a FakeDisk: what reads see, what is on the medium, and what lies between.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <vector>

namespace taskpipe::testing {

struct FakeInode {
  static constexpr std::size_t kSectorBytes = 512;
  using Sector = std::array<std::byte, kSectorBytes>;

  std::vector<std::byte> seen;
  std::vector<std::byte> durable;
  std::map<std::size_t, std::vector<Sector>> pending;  // versions by sector since the last sync

  void write(std::uint64_t offset, std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    const auto begin = static_cast<std::size_t>(offset);
    if (seen.size() < begin + bytes.size()) seen.resize(begin + bytes.size());
    std::memcpy(seen.data() + begin, bytes.data(), bytes.size());
    const std::size_t last = (begin + bytes.size() - 1) / kSectorBytes;
    for (std::size_t i = begin / kSectorBytes; i <= last; ++i) {
      pending[i].push_back(sector_of(seen, i));
    }
  }
  void sync() {
    durable.resize(seen.size());
    for (const auto& [index, versions] : pending) put_sector(durable, index, versions.back());
    pending.clear();
  }
  void lose_power(std::uint64_t seed, std::mt19937_64& random) {
    if (seed == 1 || (seed != 0 && random() % 2 == 0)) durable.resize(seen.size());
    for (const auto& [index, versions] : pending) {
      if (seed == 0) continue;
      const std::size_t choice = seed == 1 ? versions.size() : random() % (versions.size() + 1);
      if (choice > 0) put_sector(durable, index, versions[choice - 1]);
    }
    pending.clear();
    seen = durable;
  }

 private:
  static Sector sector_of(const std::vector<std::byte>& bytes, std::size_t index) {
    Sector sector{};
    const std::size_t begin = index * sector.size();
    if (begin < bytes.size()) {
      std::memcpy(sector.data(), bytes.data() + begin,
                  std::min(sector.size(), bytes.size() - begin));
    }
    return sector;
  }

  static void put_sector(std::vector<std::byte>& bytes, std::size_t index, const Sector& sector) {
    const std::size_t begin = index * sector.size();
    if (begin >= bytes.size()) return;
    std::memcpy(bytes.data() + begin, sector.data(), std::min(sector.size(), bytes.size() - begin));
  }
};

}  // namespace taskpipe::testing
