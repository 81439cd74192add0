#include "broker/shell/journal_tender.hpp"

#include <cstdint>

namespace taskpipe::broker {
namespace {

constexpr std::size_t kImagesPerTurn = 512;  // records carried forward at a time
// Carrying forward begins when the journal is this many times what lives in it.
constexpr std::uint64_t kJournalGarbageFactor = 2;

}  // namespace

void JournalTender::look(const JournalUsage& usage, const BrokerCore& core,
                         std::vector<Command>& commands) {
  if (usage.accepts_submits != last_usage_.accepts_submits || usage.bytes != last_usage_.bytes) {
    commands.emplace_back(command::StorageState{usage.accepts_submits, usage.bytes});
    last_usage_ = usage;
  }
  carries_ = false;
  if (usage.oldest_segment_last.value() == 0 || release_) return;
  const Lsn needed = core.oldest_needed();
  if (needed > usage.oldest_segment_last) {
    release_ = WaitingRelease{core.last_lsn(), needed};
  } else if (usage.bytes > kJournalGarbageFactor * core.live_bytes()) {
    carries_ = true;
    commands.emplace_back(command::CarryForward{usage.oldest_segment_last, kImagesPerTurn});
  }
}

std::optional<Lsn> JournalTender::releasable(Lsn durable) {
  if (!release_ || release_->images_end > durable) return std::nullopt;
  const Lsn below = release_->below;
  release_.reset();
  return below;
}

}  // namespace taskpipe::broker
