// Where blobs lie:
//
//   <data-dir>/blobs/ab/<sha256>       whole, synced, verified; modification time = last use
//   <data-dir>/blobs/partial/<sha256>  as much as has arrived
//
// A name ending in nothing but 64 hex digits is a blob; everything else there is not ours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/time.hpp"

namespace taskpipe::broker {

struct FoundBlob {
  std::string sha256;
  std::uint64_t size_bytes = 0;
  WallTime used;
};

class BlobFolder {
 public:
  explicit BlobFolder(const std::string& data_dir) : root_(data_dir + "/blobs") {}

  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string shard_of(const std::string& sha256) const {
    return root_ + "/" + sha256.substr(0, 2);
  }
  [[nodiscard]] std::string blob_path(const std::string& sha256) const {
    return shard_of(sha256) + "/" + sha256;
  }
  [[nodiscard]] std::string partial_folder() const { return root_ + "/partial"; }
  [[nodiscard]] std::string partial_path(const std::string& sha256) const {
    return partial_folder() + "/" + sha256;
  }

  // The folders themselves. STORAGE when they cannot be made.
  [[nodiscard]] tl::expected<void, Error> make() const;
  // Everything that is there, in no order. Walks all of it.
  [[nodiscard]] std::vector<FoundBlob> blobs() const;
  [[nodiscard]] std::vector<FoundBlob> partials() const;

 private:
  std::string root_;
};

// 0, or errno: makes a change of a folder's entries safe.
[[nodiscard]] int sync_folder(const std::string& path);

}  // namespace taskpipe::broker
