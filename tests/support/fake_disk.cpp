#include "tests/support/fake_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

#include "tests/support/fake_inode.hpp"

namespace taskpipe::testing {

using broker::DiskFault;
using broker::DiskResult;

namespace {

tl::unexpected<DiskFault> fault(int code, const std::string& text) {
  return tl::unexpected(DiskFault{code, text + " (fake disk, errno " + std::to_string(code) + ")"});
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

class FakeDisk::File final : public broker::DiskFile {
 public:
  File(FakeDisk& disk, std::shared_ptr<FakeInode> inode, std::string path)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)), boot_(disk.boot_) {}

  DiskResult<std::uint64_t> size() override {
    const std::lock_guard lock(disk_.mutex_);
    if (stale()) return fault(EIO, "inspect " + path_);
    return inode_->seen.size();
  }

  DiskResult<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) override {
    const std::lock_guard lock(disk_.mutex_);
    if (stale()) return fault(EIO, "read " + path_);
    const auto& seen = inode_->seen;
    if (offset >= seen.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(into.size(), seen.size() - offset);
    std::memcpy(into.data(), seen.data() + offset, count);
    return count;
  }

  DiskResult<> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    if (stale()) return fault(EIO, "write " + path_);
    bool reached = false;
    const auto failed = disk_.begin("write " + path_, reached);
    if (failed && !reached) return tl::unexpected(*failed);
    if (!has_room_until(offset + bytes.size())) return fault(ENOSPC, "write " + path_);
    inode_->write(offset, bytes);
    if (failed) return tl::unexpected(*failed);
    return {};
  }

  DiskResult<> allocate(std::uint64_t bytes) override {
    const std::lock_guard lock(disk_.mutex_);
    if (stale()) return fault(EIO, "allocate " + path_);
    bool reached = false;
    if (auto failed = disk_.begin("allocate " + path_, reached)) return tl::unexpected(*failed);
    if (!has_room_until(bytes)) return fault(ENOSPC, "allocate " + path_);
    if (inode_->seen.size() < bytes) inode_->seen.resize(static_cast<std::size_t>(bytes));
    return {};
  }

  void start_writeback(std::uint64_t, std::uint64_t) override {}

  DiskResult<> sync_data() override {
    const std::lock_guard lock(disk_.mutex_);
    if (stale()) return fault(EIO, "sync " + path_);
    bool reached = false;
    if (auto failed = disk_.begin("sync " + path_, reached)) {
      if (!reached) inode_->pending.clear();
      return tl::unexpected(*failed);
    }
    inode_->sync();
    ++disk_.syncs_;
    return {};
  }

 private:
  [[nodiscard]] bool stale() const { return disk_.off_ || boot_ != disk_.boot_; }
  [[nodiscard]] bool has_room_until(std::uint64_t end) const {
    const std::uint64_t size = inode_->seen.size();
    return end <= size || disk_.used_bytes() + (end - size) <= disk_.capacity_;
  }

  FakeDisk& disk_;
  std::shared_ptr<FakeInode> inode_;
  std::string path_;
  std::uint64_t boot_;
};

class FakeDisk::Lock final : public broker::DiskLock {
 public:
  Lock(FakeDisk& disk, std::string path) : disk_(disk), path_(std::move(path)), boot_(disk.boot_) {}
  ~Lock() override {
    const std::lock_guard lock(disk_.mutex_);
    if (boot_ == disk_.boot_) disk_.locked_.erase(path_);
  }

 private:
  FakeDisk& disk_;
  std::string path_;
  std::uint64_t boot_;
};

FakeDisk::FakeDisk() : capacity_(std::numeric_limits<std::uint64_t>::max()) {}
FakeDisk::~FakeDisk() = default;

// --- Faults -------------------------------------------------------------------------------------

void FakeDisk::cut_power_at(std::uint64_t operation) {
  const std::lock_guard lock(mutex_);
  cut_at_ = operation;
}

void FakeDisk::cut_power_now() {
  const std::lock_guard lock(mutex_);
  off_ = true;
}

bool FakeDisk::is_off() const {
  const std::lock_guard lock(mutex_);
  return off_;
}

void FakeDisk::restore_power(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  for (const NameChange& change : pending_names_) {
    const bool kept = seed == 1 || (seed != 0 && random() % 2 == 0);
    if (kept) apply(change, durable_names_);
  }
  pending_names_.clear();
  lose_folders(seed, random);
  names_ = durable_names_;
  for (const auto& [path, inode] : names_) inode->lose_power(seed, random);
  locked_.clear();
  failures_.clear();
  refused_ = 0;
  cut_at_.reset();
  operations_ = 0;
  off_ = false;
  ++boot_;
}

// With everything in them. Parents come before their children in the order of names.
void FakeDisk::lose_folders(std::uint64_t seed, std::mt19937_64& random) {
  std::set<std::string> kept;
  for (const std::string& folder : folders_) {
    const std::string parent = folder_of(folder);
    const bool survives =
        durable_folders_.count(folder) != 0 || seed == 1 || (seed != 0 && random() % 2 == 0);
    if (survives && (parent == "/" || kept.count(parent) != 0)) kept.insert(folder);
  }
  folders_ = kept;
  durable_folders_ = std::move(kept);
  for (auto name = durable_names_.begin(); name != durable_names_.end();) {
    const bool survives = folders_.count(folder_of(name->first)) != 0;
    name = survives ? std::next(name) : durable_names_.erase(name);
  }
}

void FakeDisk::fail_at(std::uint64_t operation, int code) {
  const std::lock_guard lock(mutex_);
  failures_[operation] = code;
}

std::uint64_t FakeDisk::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

std::uint64_t FakeDisk::syncs() const {
  const std::lock_guard lock(mutex_);
  return syncs_;
}

void FakeDisk::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void FakeDisk::refuse_changes(int code) {
  const std::lock_guard lock(mutex_);
  refused_ = code;
}

std::optional<DiskFault> FakeDisk::begin(const std::string& what, bool& reached) {
  if (off_) return DiskFault{EIO, what + ": the power is off"};
  if (refused_ != 0) return DiskFault{refused_, what + ": errno " + std::to_string(refused_)};
  const std::uint64_t operation = operations_++;
  if (cut_at_ && operation >= *cut_at_) {
    off_ = true;
    reached = true;
    return DiskFault{EIO, what + ": the power went off"};
  }
  const auto failure = failures_.find(operation);
  if (failure == failures_.end()) return std::nullopt;
  return DiskFault{failure->second, what + ": injected errno " + std::to_string(failure->second)};
}

std::uint64_t FakeDisk::used_bytes() const {
  std::uint64_t used = 0;
  for (const auto& [path, inode] : names_) used += inode->seen.size();
  return used;
}

// --- Contents -----------------------------------------------------------------------------------

std::vector<std::string> FakeDisk::paths() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_) paths.push_back(path);
  return paths;
}

std::vector<std::byte> FakeDisk::contents(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return names_.at(path)->seen;
}

void FakeDisk::set_contents(const std::string& path, std::vector<std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  auto& inode = names_[path];
  if (inode == nullptr) inode = std::make_shared<FakeInode>();
  inode->pending.clear();
  inode->seen = bytes;
  inode->durable = std::move(bytes);
  durable_names_[path] = inode;
}

void FakeDisk::flip_bit(const std::string& path, std::uint64_t offset, unsigned bit) {
  auto bytes = contents(path);
  bytes.at(static_cast<std::size_t>(offset)) ^= static_cast<std::byte>(1U << bit);
  set_contents(path, std::move(bytes));
}

void FakeDisk::delete_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  names_.erase(path);
  durable_names_.erase(path);
}

// --- Disk ---------------------------------------------------------------------------------------

DiskResult<> FakeDisk::make_folder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (off_) return fault(EIO, "make " + path);
  if (names_.count(path) != 0) return fault(EEXIST, "make " + path);
  folders_.insert(path);
  return {};
}

DiskResult<std::vector<std::string>> FakeDisk::list(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  if (off_) return fault(EIO, "list " + folder);
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_) {
    if (folder_of(path) == folder) names.push_back(path.substr(folder.size() + 1));
  }
  return names;
}

DiskResult<std::unique_ptr<broker::DiskFile>> FakeDisk::open(const std::string& path,
                                                             broker::OpenMode mode) {
  const std::lock_guard lock(mutex_);
  if (off_) return fault(EIO, "open " + path);
  if (folders_.count(folder_of(path)) == 0) return fault(ENOENT, "open " + path);
  auto found = names_.find(path);
  if (mode != broker::OpenMode::create_new) {
    if (found == names_.end()) return fault(ENOENT, "open " + path);
    return std::make_unique<File>(*this, found->second, path);
  }
  bool reached = false;
  const auto failed = begin("create " + path, reached);
  if (failed && !reached) return tl::unexpected(*failed);
  auto inode = std::make_shared<FakeInode>();
  change_name({"", path, inode});
  if (failed) return tl::unexpected(*failed);
  return std::make_unique<File>(*this, std::move(inode), path);
}

DiskResult<> FakeDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  bool reached = false;
  const auto failed = begin("rename " + from, reached);
  if (failed && !reached) return tl::unexpected(*failed);
  const auto found = names_.find(from);
  if (found == names_.end()) return fault(ENOENT, "rename " + from);
  change_name({from, to, found->second});
  if (failed) return tl::unexpected(*failed);
  return {};
}

DiskResult<> FakeDisk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  bool reached = false;
  const auto failed = begin("remove " + path, reached);
  if (failed && !reached) return tl::unexpected(*failed);
  const auto found = names_.find(path);
  if (found == names_.end()) return fault(ENOENT, "remove " + path);
  change_name({path, "", found->second});
  if (failed) return tl::unexpected(*failed);
  return {};
}

void FakeDisk::change_name(NameChange change) {
  apply(change, names_);
  pending_names_.push_back(std::move(change));
}

bool FakeDisk::apply(const NameChange& change, Names& names) {
  if (!change.from.empty()) {
    const auto found = names.find(change.from);
    if (found == names.end() || found->second != change.inode) return false;
    names.erase(found);
  }
  if (!change.to.empty()) names[change.to] = change.inode;
  return true;
}

DiskResult<> FakeDisk::sync_folder(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  bool reached = false;
  if (auto failed = begin("sync " + folder, reached)) return tl::unexpected(*failed);
  for (const std::string& made : folders_) {
    if (folder_of(made) == folder) durable_folders_.insert(made);
  }
  const auto belongs = [&folder](const NameChange& change) {
    return folder_of(change.to.empty() ? change.from : change.to) == folder;
  };
  for (const NameChange& change : pending_names_) {
    if (belongs(change)) apply(change, durable_names_);
  }
  pending_names_.erase(std::remove_if(pending_names_.begin(), pending_names_.end(), belongs),
                       pending_names_.end());
  return {};
}

DiskResult<std::uint64_t> FakeDisk::free_bytes(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  if (off_) return fault(EIO, "inspect " + folder);
  const std::uint64_t used = used_bytes();
  return capacity_ > used ? capacity_ - used : 0;
}

DiskResult<std::unique_ptr<broker::DiskLock>> FakeDisk::lock(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (refused_ != 0) return fault(refused_, "lock " + path);
  }
  return lock_existing(path);
}

DiskResult<std::unique_ptr<broker::DiskLock>> FakeDisk::lock_existing(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (off_) return fault(EIO, "lock " + path);
  if (!locked_.insert(path).second) {
    return tl::unexpected(DiskFault{EWOULDBLOCK, "4711"});
  }
  return std::make_unique<Lock>(*this, path);
}

}  // namespace taskpipe::testing
