// Input files on the worker's disk, by hash:
//
//   <work-dir>/inputs/ab/<sha256>   verified; modification time = last use
//   <work-dir>/inputs/staged/…      copies on their way into attempts
//
// A tool may write to its inputs, so that every attempt gets copies of its own (shared blocks where
// the file system can). One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/task.hpp"

namespace taskpipe::worker {

class InputCache {
 public:
  InputCache(const std::filesystem::path& folder, std::uint64_t most_bytes);

  [[nodiscard]] std::string path_of(const std::string& sha256) const;
  // Whether it is there in that size; then it counts as used now.
  [[nodiscard]] bool has(const TaskInput& input);
  // Where a download of it goes; its folder is there then.
  [[nodiscard]] tl::expected<std::string, Error> place_for(const std::string& sha256);
  // Removes what was used longest ago until the rest fits; never one of `keep`.
  void make_room(const std::vector<TaskInput>& keep);

  // A copy of a cached file under a name of its own, for the attempt to have. STORAGE when the disk
  // refuses.
  [[nodiscard]] tl::expected<std::string, Error> stage(const TaskInput& input);

 private:
  std::filesystem::path folder_;
  std::uint64_t most_bytes_;
  std::uint64_t staged_ = 0;  // number of the last copy
};

}  // namespace taskpipe::worker
