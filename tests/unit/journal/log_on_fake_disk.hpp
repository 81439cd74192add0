// A SegmentLog over a FakeDisk, and what it replayed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/journal/segment_log.hpp"
#include "tests/support/fake_disk.hpp"
#include "tests/support/record_samples.hpp"

namespace taskpipe::broker {

class LogOnFakeDisk {
 public:
  LogOnFakeDisk() {
    options.folder = "/data";
    options.segment_bytes = limits::kMinSegmentBytes;
  }

  // Opens the folder again, as a new process would: what the one before did not write is lost.
  [[nodiscard]] SegmentLog::Status open() {
    log.reset();
    replayed.clear();
    ++options.seed;
    auto opened = SegmentLog::open(disk, options, [this](Lsn lsn, Record&& record) {
      replayed.emplace_back(lsn, std::move(record));
    });
    if (!opened) return tl::unexpected(std::move(opened.error()));
    log = std::move(*opened);
    return {};
  }

  [[nodiscard]] SegmentLog::Status write(std::size_t count, std::size_t bytes = 0,
                                         Epoch epoch = Epoch(1)) {
    BatchBuffer group = log->make_buffer();
    const Lsn first = log->written().next();
    if (auto refused =
            group.append(epoch, first, taskpipe::testing::numbered_records(first, count, bytes))) {
      return tl::unexpected(std::move(*refused));
    }
    return log->write(group);
  }
  [[nodiscard]] SegmentLog::Status commit(std::size_t count, std::size_t bytes = 0) {
    return write(count, bytes).and_then([this] { return log->sync(); });
  }
  // Steps until nothing is left to prepare.
  [[nodiscard]] SegmentLog::Status maintain() {
    for (;;) {
      const auto more = log->maintain(limits::kZeroFillStepBytes);
      if (!more) return tl::unexpected(more.error());
      if (!*more) return {};
    }
  }

  // "0000000000000001.segment" and so on, without the folder.
  [[nodiscard]] std::vector<std::string> file_names() const {
    std::vector<std::string> names;
    for (const std::string& path : disk.paths()) names.push_back(path.substr(kFolder.size()));
    return names;
  }
  [[nodiscard]] static std::string segment_path(std::uint64_t generation) {
    return std::string(kFolder) + to_text(FileName{FileKind::segment, generation});
  }
  // Where the batches of a segment begin, by looking for them.
  [[nodiscard]] std::vector<std::uint64_t> batch_offsets(std::uint64_t generation) const {
    const auto bytes = disk.contents(segment_path(generation));
    const auto seed = parse_segment_header(bytes).header.checksum_seed();
    std::vector<std::uint64_t> offsets;
    for (std::size_t at = kSegmentHeaderBytes; at < bytes.size(); at += kBatchAlignment) {
      if (recognise_batch(std::span(bytes).subspan(at), seed)) offsets.push_back(at);
    }
    return offsets;
  }
  // Whether exactly first..last were replayed, as they were written.
  [[nodiscard]] bool replayed_exactly(Lsn first, Lsn last, std::size_t bytes = 0) const {
    if (replayed.size() != last.value() + 1 - first.value()) return false;
    Lsn lsn = first;
    for (const auto& [number, record] : replayed) {
      if (number != lsn || record != taskpipe::testing::numbered_record(lsn, bytes)) return false;
      lsn = lsn.next();
    }
    return true;
  }

  taskpipe::testing::FakeDisk disk;
  SegmentLogOptions options;
  std::vector<std::pair<Lsn, Record>> replayed;
  std::unique_ptr<SegmentLog> log;  // last: it uses the disk

 private:
  static constexpr std::string_view kFolder = "/data/journal/";
};

}  // namespace taskpipe::broker
