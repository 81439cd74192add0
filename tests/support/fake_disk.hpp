// A Disk in memory that behaves as badly as a real one may: it loses power, fails, fills up and
// flips bits, repeatably.
//
// What was written but not synced is kept per sector of 512 bytes. A power loss keeps, for each
// sector by itself, either what is on the medium or any later version of it; the same goes for each
// change of a name and for each folder that was made. A failed sync loses what it was to write
// although reads still see it, and a later sync succeeds without writing it (what Linux does with a
// page whose write-back failed).
//
// Operations (whatever may change the disk, and syncs) are counted, so that a test can run a
// workload once, and then again with the power cut at each of them. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "broker/journal/disk.hpp"

namespace taskpipe::testing {

struct FakeInode;

class FakeDisk final : public broker::Disk {
 public:
  FakeDisk();
  ~FakeDisk() override;

  // --- Faults ---
  // The power fails at operation number `operation` (counted from 0 since the last restart): it and
  // all later calls fail, and it may or may not have taken effect.
  void cut_power_at(std::uint64_t operation);
  void cut_power_now();
  [[nodiscard]] bool is_off() const;
  // What remains on the medium is chosen by `seed`; 0 loses, 1 keeps all that was not synced. Open
  // files and locks are gone, faults are cleared, the count of operations starts over.
  void restore_power(std::uint64_t seed);
  // Operation number `operation` fails with errno `code` and changes nothing (a sync that fails
  // loses data, see above).
  void fail_at(std::uint64_t operation, int code);
  [[nodiscard]] std::uint64_t operations() const;
  // From now on whatever changes the disk fails with errno `code` and changes nothing; 0 = no more.
  void refuse_changes(int code);
  // How many bytes all files together may take; allocating or writing more fails with ENOSPC.
  void set_capacity(std::uint64_t bytes);

  // --- Contents ---
  [[nodiscard]] std::vector<std::string> paths() const;
  // The bytes that a read sees. Throws std::out_of_range when there is no such file.
  [[nodiscard]] std::vector<std::byte> contents(const std::string& path) const;
  // Replaces them, on the medium as well: what a fault of the medium or an administrator does.
  void set_contents(const std::string& path, std::vector<std::byte> bytes);
  void flip_bit(const std::string& path, std::uint64_t offset, unsigned bit);
  void delete_file(const std::string& path);
  // How many syncs of files have succeeded.
  [[nodiscard]] std::uint64_t syncs() const;

  // --- broker::Disk ---
  broker::DiskResult<> make_folder(const std::string& path) override;
  broker::DiskResult<std::vector<std::string>> list(const std::string& folder) override;
  broker::DiskResult<std::unique_ptr<broker::DiskFile>> open(const std::string& path,
                                                             broker::OpenMode mode) override;
  broker::DiskResult<> rename(const std::string& from, const std::string& to) override;
  broker::DiskResult<> remove(const std::string& path) override;
  broker::DiskResult<> sync_folder(const std::string& folder) override;
  broker::DiskResult<std::uint64_t> free_bytes(const std::string& folder) override;
  broker::DiskResult<std::unique_ptr<broker::DiskLock>> lock(const std::string& path) override;
  broker::DiskResult<std::unique_ptr<broker::DiskLock>> lock_existing(
      const std::string& path) override;

 private:
  class File;
  class Lock;
  using Names = std::map<std::string, std::shared_ptr<FakeInode>>;
  struct NameChange {
    std::string from;  // empty = the file is new
    std::string to;    // empty = removed
    std::shared_ptr<FakeInode> inode;
  };

  // Counts an operation. A fault when it is to fail; `reached` is set when the power goes off with
  // this very operation, which may then still take effect.
  [[nodiscard]] std::optional<broker::DiskFault> begin(const std::string& what, bool& reached);
  [[nodiscard]] std::uint64_t used_bytes() const;
  void change_name(NameChange change);
  void lose_folders(std::uint64_t seed, std::mt19937_64& random);
  static bool apply(const NameChange& change, Names& names);

  mutable std::mutex mutex_;
  Names names_;
  Names durable_names_;
  std::vector<NameChange> pending_names_;
  std::set<std::string> folders_;
  std::set<std::string> durable_folders_;
  std::set<std::string> locked_;
  std::uint64_t boot_ = 0;  // handles of an earlier one are stale
  std::uint64_t operations_ = 0;
  std::uint64_t syncs_ = 0;
  std::optional<std::uint64_t> cut_at_;
  std::map<std::uint64_t, int> failures_;
  bool off_ = false;
  int refused_ = 0;  // errno of every change; 0 = none is refused
  std::uint64_t capacity_;
};

}  // namespace taskpipe::testing
