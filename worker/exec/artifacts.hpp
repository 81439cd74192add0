// Finds and fingerprints the files that an attempt leaves as its artifacts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/run_report.hpp"
#include "common/process/beneath.hpp"
#include "common/process/sha256.hpp"

namespace taskpipe::worker {

// `*`, `?` and `[…]` match within one part of a path, a part `**` any number of folders, none
// included. A leading dot must be matched by a dot. Both are relative; a pattern with "..", or an
// absolute one, matches nothing.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view path);

// The regular files below `directory` that are a log of the attempt or match one of `globs`: name,
// path and size, sorted by name, at most limits::kMaxArtifacts. Symbolic links are neither listed
// nor followed, so nothing outside is reached; names that are not UTF-8 are left out. Looks at
// limits::kMaxArtifactWalk entries at most. With `owner` only what belongs to that user counts.
// Safe against somebody who changes the folder meanwhile: the tools of other attempts may be the
// same user's.
[[nodiscard]] std::vector<Artifact> find_artifacts(const std::string& directory,
                                                   const std::vector<std::string>& globs,
                                                   process::FileOwner owner = {});

// Hashes a list of files in slices, so that one thread can serve several lists in turn.
class ArtifactHasher {
 public:
  // Fills sha256 of each; stays empty for a file that cannot be read or has no longer the size that
  // it was listed with, and beyond limits::kMaxHashBytes in all. `artifacts`, of `directory`, must
  // outlive this.
  ArtifactHasher(std::vector<Artifact>& artifacts, std::string directory,
                 process::FileOwner owner = {});
  ArtifactHasher(const ArtifactHasher&) = delete;
  ArtifactHasher& operator=(const ArtifactHasher&) = delete;

  // Reads about `max_bytes`. False once everything is done.
  bool step(std::size_t max_bytes);

 private:
  void open_next();
  void finish_file();

  std::vector<Artifact>& artifacts_;
  std::string directory_;
  process::FileOwner owner_;
  std::size_t next_ = 0;  // artifact to be opened
  process::File file_;
  std::uint64_t hashed_bytes_ = 0;
  std::uint64_t left_bytes_ = 0;  // of the open file, by its listed size
  process::Sha256 digest_;
  std::vector<unsigned char> buffer_;
};

}  // namespace taskpipe::worker
