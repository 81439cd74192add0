// The few file operations that the journal needs: the seam between it and the operating system.
//
// PosixDisk is the real thing; the tests and the simulator use one in memory that loses power,
// fails and fills up (tests/support/fake_disk.hpp). Paths are plain strings with '/' between names.
// What a call has done is on the medium only after `sync_data` (contents and length of a file) or
// `sync_folder` (which names exist); until then a power loss may undo any part of it, in any order.
//
// Thread: one thread at a time per object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace taskpipe::broker {

// An operation that failed: its errno, and a sentence that names operation, path and reason.
struct DiskFault {
  int code = 0;
  std::string text;

  // The medium (or a quota) is full: the only fault that may pass.
  [[nodiscard]] bool is_full() const;
};
template <class T = void>
using DiskResult = tl::expected<T, DiskFault>;

class DiskFile {
 public:
  DiskFile() = default;
  DiskFile(const DiskFile&) = delete;
  DiskFile& operator=(const DiskFile&) = delete;
  virtual ~DiskFile() = default;

  [[nodiscard]] virtual DiskResult<std::uint64_t> size() = 0;
  // Fills `into` from `offset`; returns less than its size only at the end of the file.
  [[nodiscard]] virtual DiskResult<std::size_t> read_at(std::uint64_t offset,
                                                        std::span<std::byte> into) = 0;
  // All or a fault; after a fault any part may have been written.
  [[nodiscard]] virtual DiskResult<> write_at(std::uint64_t offset,
                                              std::span<const std::byte> bytes) = 0;
  // Reserves space for the first `bytes` of the file, and makes it that long.
  [[nodiscard]] virtual DiskResult<> allocate(std::uint64_t bytes) = 0;
  // Lets the system begin to write back what was written there, so that a later sync_data is
  // short. A hint.
  virtual void start_writeback(std::uint64_t offset, std::uint64_t bytes) = 0;
  [[nodiscard]] virtual DiskResult<> sync_data() = 0;
};

// Held until it is destroyed, or its process ends.
class DiskLock {
 public:
  DiskLock() = default;
  DiskLock(const DiskLock&) = delete;
  DiskLock& operator=(const DiskLock&) = delete;
  virtual ~DiskLock() = default;
};

enum class OpenMode { existing, create_new, read_only };

class Disk {
 public:
  Disk() = default;
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  virtual ~Disk() = default;

  // Parents must exist; a folder that exists already is fine.
  [[nodiscard]] virtual DiskResult<> make_folder(const std::string& path) = 0;
  // Names in the folder, sorted; without "." and "..".
  [[nodiscard]] virtual DiskResult<std::vector<std::string>> list(const std::string& folder) = 0;
  // For reading and writing; `create_new` replaces a file of that name, `read_only` needs no more
  // than the right to read.
  [[nodiscard]] virtual DiskResult<std::unique_ptr<DiskFile>> open(const std::string& path,
                                                                   OpenMode mode) = 0;
  [[nodiscard]] virtual DiskResult<> rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual DiskResult<> remove(const std::string& path) = 0;
  [[nodiscard]] virtual DiskResult<> sync_folder(const std::string& folder) = 0;
  // What an ordinary user may still write to the file system that holds `folder`.
  [[nodiscard]] virtual DiskResult<std::uint64_t> free_bytes(const std::string& folder) = 0;
  // Exclusive among processes, and within this one. When another holds it: a fault with code
  // EWOULDBLOCK whose text is the holder's process id, or empty when it cannot be told.
  [[nodiscard]] virtual DiskResult<std::unique_ptr<DiskLock>> lock(const std::string& path) = 0;
  // The same lock, of a file that exists: nothing is written, so it works where nothing can be.
  [[nodiscard]] virtual DiskResult<std::unique_ptr<DiskLock>> lock_existing(
      const std::string& path) = 0;
};

}  // namespace taskpipe::broker
