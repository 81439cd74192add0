// Journal folders that something has damaged. Opening one says what is wrong, or gives a stretch
// of what was written, on which writing can go on; never a record that nobody wrote.
#include <array>

#include "tests/fuzz/frames.hpp"
#include "tests/unit/journal/log_on_fake_disk.hpp"

namespace taskpipe::broker {
namespace {

using fuzz::Bytes;
using fuzz::require;

constexpr std::size_t kRecordBytes = 300;

// The files of a journal, and what was written into it.
struct Folder {
  std::map<std::string, std::vector<std::byte>> files;
  Lsn last;
};

void must(const SegmentLog::Status& status) {
  if (!status) fuzz::violated(status.error().text);
}

// A small journal, one of several segments, one whose first segments were recycled, one that was
// closed in order, one with a tail that was never synced.
Folder make_folder(std::size_t kind) {
  LogOnFakeDisk log;
  must(log.open());
  const std::size_t groups = kind == 0 ? 3 : 40;
  for (std::size_t i = 0; i < groups; ++i) {
    must(log.commit(1 + i % 3, kRecordBytes));
    must(log.maintain());
  }
  if (kind >= 2) {
    require(log.log->release_before(Lsn(40)).has_value(), "segments are recycled");
    for (std::size_t i = 0; i < 5; ++i) must(log.commit(2, kRecordBytes));
  }
  if (kind == 4) must(log.write(3, kRecordBytes));
  Folder folder;
  folder.last = log.log->written();
  if (kind == 3) must(log.log->close());
  log.log.reset();
  for (const std::string& path : log.disk.paths()) folder.files[path] = log.disk.contents(path);
  return folder;
}

const Folder& folder_of(std::size_t kind) {
  constexpr std::size_t kKinds = 5;
  static const std::vector<Folder> folders = [] {
    std::vector<Folder> made;
    for (std::size_t i = 0; i < kKinds; ++i) made.push_back(make_folder(i));
    return made;
  }();
  return folders[kind % kKinds];
}

// The input as a list of damages: op u8 | file u8 | offset u24 | length u8 | bytes.
void damage(Folder& folder, Bytes in) {
  while (!in.empty() && !folder.files.empty()) {
    const std::uint8_t op = in.byte();
    auto file = std::next(folder.files.begin(), in.byte() % folder.files.size());
    std::vector<std::byte>& bytes = file->second;
    std::size_t at = in.word();
    at |= std::size_t{in.byte()} << 16U;
    const std::size_t length = in.byte();
    if (op % 8 == 0) {
      folder.files.erase(file);
    } else if (op % 8 == 1) {
      bytes.resize(std::min(at, bytes.size()));
    } else if (op % 8 == 2) {  // part of another one, as after a write to the wrong place
      const auto& other = std::next(folder.files.begin(), in.byte() % folder.files.size())->second;
      const std::size_t from = in.byte() * 512U;
      for (std::size_t i = 0; i < length * 64U && at + i < bytes.size(); ++i) {
        if (from + i < other.size()) bytes[at + i] = other[from + i];
      }
    } else if (op % 8 == 3) {  // the name of another one
      const auto other = std::next(folder.files.begin(), in.byte() % folder.files.size());
      std::swap(bytes, other->second);
    } else {
      for (const char c : in.take(length)) {
        if (at >= bytes.size()) break;
        bytes[at] = op % 8 < 6 ? static_cast<std::byte>(c) : bytes[at] ^ static_cast<std::byte>(c);
        ++at;
      }
    }
  }
}

// What was replayed is a stretch of 1..last, as it was written.
void check_stretch(const LogOnFakeDisk& log, Lsn last) {
  if (log.replayed.empty()) return;
  require(log.replayed.back().first <= last, "a record that nobody wrote");
  require(log.replayed_exactly(log.replayed.front().first, log.replayed.back().first, kRecordBytes),
          "records that are not what was written");
}

}  // namespace
}  // namespace taskpipe::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace taskpipe;          // NOLINT(google-build-using-namespace)
  using namespace taskpipe::broker;  // NOLINT(google-build-using-namespace)
  Bytes in(fuzz::text_of(data, size));
  Folder folder = folder_of(in.byte());
  damage(folder, in);
  LogOnFakeDisk log;
  log.options.seed = 1000;  // salts are never drawn twice
  require(log.disk.make_folder("/data").has_value(), "a folder is made");
  require(log.disk.make_folder("/data/journal").has_value(), "a folder is made");
  for (auto& [path, bytes] : folder.files) log.disk.set_contents(path, std::move(bytes));
  const auto opened = log.open();
  check_stretch(log, folder.last);
  if (!opened) {
    require(!opened.error().text.empty(), "a refusal without a word");
    return 0;
  }
  // On top of what is left, writing goes on, and the next start finds both.
  const std::size_t kept = log.replayed.size();
  const Lsn last = log.log->written();
  if (const auto written = log.commit(2, kRecordBytes); !written) {
    fuzz::violated("writing does not go on: " + written.error().text);
  }
  must(log.open());
  check_stretch(log, Lsn(last.value() + 2));
  require(log.replayed.size() == kept + 2, "the next start finds other records");
  return 0;
}
