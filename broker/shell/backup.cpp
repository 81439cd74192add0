#include "broker/shell/backup.hpp"

#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "broker/journal/journal_copy.hpp"
#include "broker/journal/posix_disk.hpp"
#include "broker/store/store_check.hpp"

namespace taskpipe::broker {
namespace {

namespace fs = std::filesystem;
using Status = tl::expected<void, Error>;

tl::unexpected<Error> refuse(std::string text) {
  return tl::unexpected(Error{ErrorCode::invalid, std::move(text), "backup"});
}
tl::unexpected<Error> failed(std::string text) {
  return tl::unexpected(Error{ErrorCode::storage, std::move(text), "backup"});
}

fs::path without_final_slash(const std::string& path) {
  fs::path plain = fs::path(path).lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

// Removed with everything in it unless it was kept.
class PartialFolder {
 public:
  explicit PartialFolder(fs::path path) : path_(std::move(path)) {}
  PartialFolder(const PartialFolder&) = delete;
  PartialFolder& operator=(const PartialFolder&) = delete;
  ~PartialFolder() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  void keep() { kept_ = true; }

 private:
  fs::path path_;
  bool kept_ = false;
};

DiskResult<> copy_file(Disk& disk, const std::string& from, const std::string& to) {
  auto source = disk.open(from, OpenMode::read_only);
  if (!source) return tl::unexpected(source.error());
  const auto size = (*source)->size();
  if (!size) return tl::unexpected(size.error());
  std::vector<std::byte> bytes(static_cast<std::size_t>(*size));
  if (auto got = (*source)->read_at(0, bytes); !got) return tl::unexpected(got.error());
  auto target = disk.open(to, OpenMode::create_new);
  if (!target) return tl::unexpected(target.error());
  if (auto done = (*target)->write_at(0, bytes); !done) return done;
  return (*target)->sync_data();
}

// The moment of the history is fixed first, which takes no time; then the journal is copied, which
// is small and must not be recycled meanwhile; then, at leisure, the history as of that moment.
Status copy_into(Disk& disk, const std::string& data_folder, const std::string& partial) {
  // With the lock in hand nobody writes; without it a broker does, and it may.
  const auto lock = SegmentFolder(disk, data_folder).lock_for_reading();
  const SqliteAccess access = lock ? SqliteAccess::read_alone : SqliteAccess::read_beside;
  std::optional<HistorySnapshot> history;
  const auto copied = copy_journal(disk, data_folder, partial, [&] {
    history.reset();
    if (!fs::exists(history_path(data_folder))) return Lsn();
    history.emplace(history_path(data_folder), access);
    return history->watermark();
  });
  if (!copied) return tl::unexpected(copied.error());
  if (history) history->copy_to(history_path(partial));
  const std::string id = (fs::path(data_folder) / "broker.id").string();
  if (fs::exists(id)) {
    const auto done = copy_file(disk, id, (fs::path(partial) / "broker.id").string());
    if (!done) return failed(done.error().text);
  }
  // Last: whatever the copied history and journal refer to was stored before.
  return copy_store(data_folder, partial);
}

}  // namespace

tl::expected<DataCheck, Error> back_up(const std::string& data_folder, const std::string& target) {
  const fs::path end = without_final_slash(target);
  const fs::path partial = end.string() + ".partial";
  std::error_code error;
  if (fs::exists(end, error) && !(fs::is_directory(end, error) && fs::is_empty(end, error))) {
    return refuse("--backup " + target + " is there and not empty; name a new folder");
  }
  if (fs::exists(partial, error)) {
    return refuse(partial.string() +
                  " is there: another backup is running, or one was interrupted; delete it then");
  }
  PosixDisk disk;
  if (auto made = disk.make_folder(partial.string()); !made) {
    return failed(made.error().text + "; the folder above must exist and be writable");
  }
  PartialFolder remover(partial);
  try {
    if (auto copied = copy_into(disk, data_folder, partial.string()); !copied) {
      return tl::unexpected(copied.error());
    }
  } catch (const std::exception& failure) {
    return failed(failure.what());
  }
  auto check = check_data(partial.string(), false);
  if (!check) return check;
  if (!check->sound()) return failed("the copy is not sound: " + check->damage.front());
  if (auto synced = disk.sync_folder(partial.string()); !synced) return failed(synced.error().text);
  if (auto renamed = disk.rename(partial.string(), end.string()); !renamed) {
    return failed(renamed.error().text + "; name a folder that does not exist yet");
  }
  remover.keep();
  const fs::path parent = end.has_parent_path() ? end.parent_path() : fs::path(".");
  if (auto synced = disk.sync_folder(parent.string()); !synced) return failed(synced.error().text);
  check->folder = end.string();
  return check;
}

}  // namespace taskpipe::broker
