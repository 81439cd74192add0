#include "broker/journal/segment_format.hpp"

#include <algorithm>
#include <cstring>

#include "broker/journal/byte_buffer.hpp"
#include "broker/journal/crc32c.hpp"

namespace taskpipe::broker {
namespace {

constexpr std::string_view kSegmentMagic = "TPJOURN\n";
constexpr std::uint32_t kBatchMagic = 0x626a5054U;  // "TPjb"
constexpr std::size_t kSegmentChecksumOffset = 64;
constexpr std::size_t kBatchChecksumOffset = 44;

constexpr std::size_t kNumberDigits = 16;  // decimal; enough for a segment per microsecond
constexpr std::string_view kDigits = "0123456789";

std::string_view suffix_of(FileKind kind) {
  switch (kind) {
    case FileKind::segment: return ".segment";
    case FileKind::spare: return ".spare";
    case FileKind::making: return ".making";
  }
  return {};
}

}  // namespace

std::uint32_t SegmentHeader::checksum_seed() const {
  std::array<std::byte, 2 * sizeof(std::uint64_t)> bytes{};
  store_little_endian(bytes.data(), generation);
  store_little_endian(bytes.data() + sizeof(std::uint64_t), salt);
  return crc32c(0, bytes);
}

SegmentHeaderPage encode_segment_header(const SegmentHeader& header) {
  SegmentHeaderPage page{};
  std::memcpy(page.data(), kSegmentMagic.data(), kSegmentMagic.size());
  store_little_endian(page.data() + 8, kFormatVersion);
  store_little_endian(page.data() + 16, header.journal.high());
  store_little_endian(page.data() + 24, header.journal.low());
  store_little_endian(page.data() + 32, header.generation);
  store_little_endian(page.data() + 40, header.salt);
  store_little_endian(page.data() + 48, header.file_bytes);
  store_little_endian(page.data() + 56, header.durable.value());
  store_little_endian(page.data() + kSegmentChecksumOffset,
                      crc32c(0, std::span(page).first(kSegmentChecksumOffset)));
  return page;
}

ParsedSegmentHeader parse_segment_header(std::span<const std::byte> page) {
  ParsedSegmentHeader parsed;
  if (page.size() < kSegmentHeaderBytes ||
      std::memcmp(page.data(), kSegmentMagic.data(), kSegmentMagic.size()) != 0) {
    parsed.flaw = HeaderFlaw::not_a_segment;
    return parsed;
  }
  // Before the checksum, which a later version may keep elsewhere.
  parsed.version = load_little_endian<std::uint32_t>(page.data() + 8);
  if (parsed.version > kFormatVersion) {
    parsed.flaw = HeaderFlaw::newer_version;
    return parsed;
  }
  const auto checksum = load_little_endian<std::uint32_t>(page.data() + kSegmentChecksumOffset);
  if (checksum != crc32c(0, page.first(kSegmentChecksumOffset))) {
    parsed.flaw = HeaderFlaw::damaged;
    return parsed;
  }
  const auto field = [&page](std::size_t offset) {
    return load_little_endian<std::uint64_t>(page.data() + offset);
  };
  parsed.header = {JournalId(field(16), field(24)), field(32), field(40), field(48),
                   Lsn(field(56))};
  return parsed;
}

void encode_batch_header(const BatchHeader& header, std::uint32_t checksum_seed,
                         std::span<std::byte, kBatchHeaderBytes> to) {
  store_little_endian(to.data(), kBatchMagic);
  store_little_endian(to.data() + 4, header.body_bytes);
  store_little_endian(to.data() + 8, header.records);
  store_little_endian(to.data() + 12, header.body_checksum);
  store_little_endian(to.data() + 16, header.first.value());
  store_little_endian(to.data() + 24, header.epoch.value());
  store_little_endian(to.data() + 32, header.durable.value());
  store_little_endian(to.data() + 40, std::uint32_t{0});
  store_little_endian(to.data() + kBatchChecksumOffset,
                      crc32c(checksum_seed, to.first(kBatchChecksumOffset)));
}

std::optional<BatchHeader> recognise_batch(std::span<const std::byte> bytes,
                                           std::uint32_t checksum_seed) {
  if (bytes.size() < kBatchHeaderBytes) return std::nullopt;
  if (load_little_endian<std::uint32_t>(bytes.data()) != kBatchMagic) return std::nullopt;
  const auto checksum = load_little_endian<std::uint32_t>(bytes.data() + kBatchChecksumOffset);
  if (checksum != crc32c(checksum_seed, bytes.first(kBatchChecksumOffset))) return std::nullopt;
  BatchHeader header;
  header.body_bytes = load_little_endian<std::uint32_t>(bytes.data() + 4);
  header.records = load_little_endian<std::uint32_t>(bytes.data() + 8);
  header.body_checksum = load_little_endian<std::uint32_t>(bytes.data() + 12);
  header.first = Lsn(load_little_endian<std::uint64_t>(bytes.data() + 16));
  header.epoch = Epoch(load_little_endian<std::uint64_t>(bytes.data() + 24));
  header.durable = Lsn(load_little_endian<std::uint64_t>(bytes.data() + 32));
  return header;
}

bool body_is_intact(const BatchHeader& header, std::span<const std::byte> body) {
  return body.size() == header.body_bytes && crc32c(0, body) == header.body_checksum;
}

std::string to_text(const FileName& name) {
  std::string digits = std::to_string(name.number);
  if (digits.size() < kNumberDigits) digits.insert(0, kNumberDigits - digits.size(), '0');
  return digits.append(suffix_of(name.kind));
}

std::optional<FileName> parse_file_name(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of(kDigits), text.size());
  if (digits != kNumberDigits) return std::nullopt;
  FileName name;
  for (const char c : text.substr(0, digits)) {
    name.number = 10 * name.number + static_cast<std::uint64_t>(c - '0');
  }
  for (const FileKind kind : {FileKind::segment, FileKind::spare, FileKind::making}) {
    name.kind = kind;
    if (text.substr(digits) == suffix_of(kind)) return name;
  }
  return std::nullopt;
}

}  // namespace taskpipe::broker
