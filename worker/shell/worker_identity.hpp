// Who this worker is, kept in its work folder: an identity that survives restarts, a count of its
// starts, and the lock that keeps a second agent out.
#pragma once

#include <cstdint>
#include <filesystem>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {

// Movable; holds the lock until destruction.
class WorkerIdentity {
 public:
  // Makes the folder when there is none. Errors are INVALID or STORAGE naming "work-dir", with the
  // remedy; in particular when another agent uses the folder.
  [[nodiscard]] static tl::expected<WorkerIdentity, Error> claim(
      const std::filesystem::path& work_dir);

  [[nodiscard]] const PeerUuid& uuid() const { return uuid_; }
  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }

 private:
  WorkerIdentity() = default;
  Descriptor lock_;
  PeerUuid uuid_;
  std::uint64_t incarnation_ = 0;
};

}  // namespace taskpipe::worker
