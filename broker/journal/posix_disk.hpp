// The Disk of the operating system: pwrite, fdatasync, fallocate, flock. Linux.
#pragma once

#include "broker/journal/disk.hpp"

namespace taskpipe::broker {

// Stateless; files are created with mode 0600 and folders with 0700, and descriptors are not
// inherited by children.
class PosixDisk final : public Disk {
 public:
  DiskResult<> make_folder(const std::string& path) override;
  DiskResult<std::vector<std::string>> list(const std::string& folder) override;
  DiskResult<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) override;
  DiskResult<> rename(const std::string& from, const std::string& to) override;
  DiskResult<> remove(const std::string& path) override;
  DiskResult<> sync_folder(const std::string& folder) override;
  DiskResult<std::uint64_t> free_bytes(const std::string& folder) override;
  DiskResult<std::unique_ptr<DiskLock>> lock(const std::string& path) override;
  DiskResult<std::unique_ptr<DiskLock>> lock_existing(const std::string& path) override;
};

}  // namespace taskpipe::broker
