// A store in memory.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/bulk/blob_access.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::broker {

// The hash of a content is 64 times its last character; so tests make right and wrong ones at will.
inline std::string hash_of(std::string_view content) {
  return std::string(limits::kSha256HexBytes, content.empty() ? '0' : content.back());
}

class MemoryBlobs final : public BlobAccess {
 public:
  tl::expected<Begun, Error> begin_put(const std::string& sha256, std::uint64_t,
                                       bool last_try) override {
    ++begins;
    if (blobs.contains(sha256)) return Begun{Begin::have, blobs[sha256].size()};
    if (full && last_try) return tl::unexpected(Error{ErrorCode::storage, "full", {}});
    if (full) return Begun{Begin::no_room, 0};
    if (unverified.contains(sha256)) return Begun{Begin::verifying, partial[sha256].size()};
    return Begun{Begin::receive, partial[sha256].size()};
  }
  tl::expected<void, Error> append(const std::string& sha256,
                                   std::span<const std::byte> bytes) override {
    if (broken) return tl::unexpected(Error{ErrorCode::storage, "no space left", {}});
    partial[sha256].append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  tl::expected<void, Error> complete(const std::string& sha256) override {
    if (hash_of(partial[sha256]) == sha256) {
      completed.insert(sha256);
      return {};
    }
    partial.erase(sha256);
    return tl::unexpected(Error{ErrorCode::invalid, "another hash", "sha256"});
  }
  void leave(const std::string& sha256) override { left.push_back(sha256); }
  tl::expected<std::uint64_t, Error> look_up(const std::string& sha256) override {
    if (!blobs.contains(sha256)) {
      return tl::unexpected(Error{ErrorCode::invalid, "unknown", "sha256"});
    }
    return blobs[sha256].size();
  }
  tl::expected<Payload, Error> read(const std::string& sha256, std::uint64_t offset,
                                    std::size_t length) override {
    ++reads;
    return Payload(std::string_view(blobs.at(sha256)).substr(offset, length));
  }
  void store(const std::string& sha256) {
    completed.erase(sha256);
    blobs[sha256] = partial.extract(sha256).mapped();
  }

  std::map<std::string, std::string> blobs;
  std::map<std::string, std::string> partial;
  std::set<std::string> unverified;
  std::set<std::string> completed;
  std::vector<std::string> left;
  bool full = false;
  bool broken = false;
  int begins = 0;
  int reads = 0;
};

}  // namespace taskpipe::broker
