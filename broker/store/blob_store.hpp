// Files by the SHA-256 of their content. See blob_folder.hpp for where they lie.
//
// A blob appears under its name only after all of it was written, its hash was found right and it
// was synced; what a crash leaves is a partial upload, which the next PUT of the same hash
// continues. Room: the quota bounds blobs and uploads together (an upload counts with its whole
// size), the disk keeps limits::kBlobHeadroomBytes for others. What was used longest ago goes
// first, never within limits::kBlobGraceMs of its use, and never what the loop says is needed.
//
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "broker/bulk/blob_access.hpp"
#include "broker/store/blob_folder.hpp"
#include "common/model/error.hpp"
#include "common/model/limits.hpp"
#include "common/model/time.hpp"
#include "common/process/file.hpp"
#include "common/process/sha256.hpp"

namespace taskpipe::broker {

struct BlobStoreOptions {
  std::string data_dir;
  std::uint64_t quota_bytes = 0;  // 0 = a share of what the file system has free at the start
  Millis retention{std::int64_t{7} * 24 * 3600 * 1000};
  Millis grace{limits::kBlobGraceMs};
  std::uint64_t headroom_bytes = limits::kBlobHeadroomBytes;
};

struct BlobStoreUsage {
  std::size_t blobs = 0;
  std::uint64_t used_bytes = 0;  // with what is reserved for uploads
  std::uint64_t quota_bytes = 0;
};

class BlobStore final : public BlobAccess {
 public:
  // Reads what is there. Where the folder cannot be written, only reading works.
  BlobStore(BlobStoreOptions options, WallTime now);

  // Before the calls of a turn.
  void set_now(WallTime now) { now_ = now; }

  [[nodiscard]] tl::expected<Begun, Error> begin_put(const std::string& sha256,
                                                     std::uint64_t size_bytes,
                                                     bool last_try) override;
  [[nodiscard]] tl::expected<void, Error> append(const std::string& sha256,
                                                 std::span<const std::byte> bytes) override;
  [[nodiscard]] tl::expected<void, Error> complete(const std::string& sha256) override;
  void leave(const std::string& sha256) override;
  [[nodiscard]] tl::expected<std::uint64_t, Error> look_up(const std::string& sha256) override;
  [[nodiscard]] tl::expected<Payload, Error> read(const std::string& sha256, std::uint64_t offset,
                                                  std::size_t length) override;

  // Reads a slice of what earlier uploads have left; the hash of one that is done, if one is.
  [[nodiscard]] std::optional<std::string> verify_some();
  [[nodiscard]] bool verifying() const { return !verifying_.empty(); }

  struct Stored {
    std::string sha256;
    tl::expected<void, Error> result;
  };
  // Makes everything that was completed safe: one sync per file, one per folder.
  [[nodiscard]] std::vector<Stored> commit();

  // Who may go, oldest use first, if nobody needs it: at most `most`, for room or for their age.
  [[nodiscard]] std::vector<std::string> candidates(bool for_room, std::size_t most) const;
  // Removes those of `candidates` that are not in `needed`, for their age, or until `for_room` what
  // was asked for fits. Needed ones count as used now.
  void evict(const std::vector<std::string>& candidates, const std::vector<std::string>& needed,
             bool for_room);
  // Uploads that nobody has continued for limits::kMinPartialAgeMs.
  void drop_old_partials();

  [[nodiscard]] BlobStoreUsage usage() const;
  // Why nothing can be written; empty = all is well.
  [[nodiscard]] const std::string& read_only() const { return read_only_; }

 private:
  struct Blob {
    std::uint64_t size_bytes = 0;
    WallTime used;
  };
  struct Upload {
    process::File file;
    process::Sha256 hash;
    std::uint64_t size_bytes = 0;
    std::uint64_t written = 0;   // of it
    std::uint64_t hashed = 0;    // less than `written` while it is verified
    std::uint64_t given_on = 0;  // to the disk
    bool completed = false;
  };
  using Uploads = std::unordered_map<std::string, Upload>;

  [[nodiscard]] tl::expected<Begun, Error> open_upload(const std::string& sha256,
                                                       std::uint64_t size_bytes);
  [[nodiscard]] bool fits(std::uint64_t more_bytes) const;
  [[nodiscard]] std::uint64_t idle_bytes_of(const std::string& sha256) const;
  void add_blob(const std::string& sha256, std::uint64_t size_bytes, WallTime used);
  void touch(const std::string& sha256, Blob& blob);
  void remove_blob(const std::string& sha256);
  // Closes it; what is on the disk stays, or not.
  void end_upload(const std::string& sha256, bool keep);
  [[nodiscard]] tl::expected<void, Error> seal(const std::string& sha256, Upload& upload);

  BlobStoreOptions options_;
  BlobFolder folder_;
  WallTime now_;
  std::string read_only_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t room_wanted_ = 0;  // largest upload that did not fit
  std::unordered_map<std::string, Blob> blobs_;
  std::set<std::pair<WallTime, std::string>> by_use_;
  Uploads uploads_;
  std::unordered_map<std::string, Blob> idle_;  // partial uploads that nobody sends now
  std::vector<std::string> verifying_;
  std::vector<std::string> completed_;
  std::map<std::string, process::File> reading_;
};

}  // namespace taskpipe::broker
