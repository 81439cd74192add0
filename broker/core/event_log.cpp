#include "broker/core/event_log.hpp"

#include <algorithm>
#include <cassert>

namespace taskpipe::broker {
namespace {

constexpr std::size_t kMostChunkEntries = 4096;
constexpr std::size_t kFewestChunkEntries = 16;
constexpr std::uint64_t kChunksWanted = 16;  // in all of the retention: the floor moves by one
constexpr std::size_t kMostChunkTextBytes = 1U << 20U;  // of reasons, then the next chunk begins
// Tasks of a batch share their label; those of a few clients at once lie close together.
constexpr std::size_t kLabelLookBack = 8;

}  // namespace

EventLog::EventLog(std::uint64_t retention_bytes)
    : retention_bytes_(retention_bytes),
      chunk_entries_(std::clamp<std::size_t>(retention_bytes / kChunksWanted / sizeof(Entry),
                                             kFewestChunkEntries, kMostChunkEntries)) {}

void EventLog::append(const Change& change) {
  if (change.lsn <= floor_) return;  // a repetition of what was given up already, at replay
  Chunk& chunk = open_chunk();
  Entry entry;
  entry.id = change.id;
  entry.lsn = change.lsn;
  entry.at = change.at;
  entry.label = label_of(chunk, change);
  entry.worker = worker_of(chunk, change);
  entry.attempt = change.attempt;
  entry.state = change.state;
  entry.failure = change.failure;
  if (!change.reason.empty()) {
    entry.text = static_cast<std::uint32_t>(chunk.texts.size());
    entry.text_bytes =
        static_cast<std::uint16_t>(std::min(change.reason.size(), limits::kMaxTextBytes));
    chunk.texts.append(change.reason.substr(0, entry.text_bytes));
    grow(chunk, entry.text_bytes);
  }
  if (change.workflow && change.workflow->total > 0) {
    chunk.counts.push_back(
        {change.workflow->total, change.workflow->ended, change.workflow->succeeded});
    entry.counts = static_cast<std::uint32_t>(chunk.counts.size());
    grow(chunk, sizeof(Counts));
  }
  chunk.entries.push_back(entry);
  ++entries_;
  while (bytes_ > retention_bytes_ && chunks_.size() > 1) give_up_oldest();
}

void EventLog::uncovered(Lsn lsn) {
  floor_ = std::max(floor_, lsn);
  while (!chunks_.empty() && chunks_.front()->entries.back().lsn <= floor_) give_up_oldest();
}

EventLog::Chunk& EventLog::open_chunk() {
  if (!chunks_.empty() && chunks_.back()->entries.size() < chunk_entries_ &&
      chunks_.back()->texts.size() < kMostChunkTextBytes) {
    return *chunks_.back();
  }
  std::unique_ptr<Chunk> chunk = std::move(spare_);
  if (!chunk) {
    chunk = std::make_unique<Chunk>();
    chunk->entries.reserve(chunk_entries_);
  }
  grow(*chunk, chunk_entries_ * sizeof(Entry));
  chunks_.push_back(std::move(chunk));
  return *chunks_.back();
}

void EventLog::give_up_oldest() {
  std::unique_ptr<Chunk> oldest = std::move(chunks_.front());
  chunks_.pop_front();
  ++first_chunk_;
  floor_ = std::max(floor_, oldest->entries.back().lsn);
  bytes_ -= oldest->bytes;
  entries_ -= oldest->entries.size();
  oldest->entries.clear();
  oldest->labels.clear();
  oldest->workers.clear();
  oldest->counts.clear();
  oldest->texts.clear();
  oldest->bytes = 0;
  spare_ = std::move(oldest);
}

void EventLog::grow(Chunk& chunk, std::uint64_t bytes) {
  chunk.bytes += bytes;
  bytes_ += bytes;
}

std::uint32_t EventLog::label_of(Chunk& chunk, const Change& change) {
  const auto workflow = change.workflow ? std::optional(change.workflow->id) : std::nullopt;
  auto& labels = chunk.labels;
  for (std::size_t back = 1; back <= std::min(kLabelLookBack, labels.size()); ++back) {
    const ChangeLabel& label = labels[labels.size() - back];
    if (label.owner == change.owner && label.tool == change.tool && label.script == change.script &&
        label.workflow == workflow) {
      tools_[label.tool_number].last = change.lsn;
      return static_cast<std::uint32_t>(labels.size() - back);
    }
  }
  const std::uint32_t tool = tool_number(change.tool);
  tools_[tool].last = change.lsn;
  labels.push_back(
      {std::string(change.tool), std::string(change.script), change.owner, workflow, tool});
  grow(chunk, sizeof(ChangeLabel) + change.tool.size() + change.script.size());
  return static_cast<std::uint32_t>(labels.size() - 1);
}

// The name as it is now: a worker may come back under another one, and its past keeps the former.
std::uint32_t EventLog::worker_of(Chunk& chunk, const Change& change) {
  const std::uint32_t slot = change.worker.value();
  if (slot == kNoSlot) return 0;
  if (worker_marks_.size() <= slot) worker_marks_.resize(slot + 1U);
  WorkerMark& mark = worker_marks_[slot];
  const std::uint64_t newest = first_chunk_ + chunks_.size();
  const bool known = mark.chunk == newest && chunk.workers[mark.index - 1] == change.worker_name;
  if (!known) {
    chunk.workers.emplace_back(change.worker_name);
    mark = {newest, static_cast<std::uint32_t>(chunk.workers.size())};
    grow(chunk, sizeof(std::string) + change.worker_name.size());
  }
  return mark.index;
}

std::uint32_t EventLog::tool_number(std::string_view tool) {
  const auto [found, added] =
      tool_numbers_.try_emplace(std::string(tool), static_cast<std::uint32_t>(tools_.size()));
  if (added) tools_.push_back({found->first, Lsn{}});
  return found->second;
}

EventLog::Cursor EventLog::end() const {
  if (chunks_.empty()) return {first_chunk_, 0};
  return {first_chunk_ + chunks_.size() - 1,
          static_cast<std::uint32_t>(chunks_.back()->entries.size())};
}

EventLog::Cursor EventLog::after(Lsn lsn) const {
  assert(lsn >= floor_);
  const auto chunk = std::partition_point(chunks_.begin(), chunks_.end(), [lsn](const auto& held) {
    return held->entries.back().lsn <= lsn;
  });
  if (chunk == chunks_.end()) return end();
  const auto& entries = (*chunk)->entries;
  const auto entry = std::partition_point(entries.begin(), entries.end(),
                                          [lsn](const Entry& e) { return e.lsn <= lsn; });
  return {first_chunk_ + static_cast<std::uint64_t>(chunk - chunks_.begin()),
          static_cast<std::uint32_t>(entry - entries.begin())};
}

const EventLog::Chunk& EventLog::chunk_at(const Cursor& cursor) const {
  assert(!overtaken(cursor));
  return *chunks_[static_cast<std::size_t>(cursor.chunk - first_chunk_)];
}

std::optional<EventLog::View> EventLog::at(Cursor& cursor) const {
  if (cursor.chunk >= first_chunk_ + chunks_.size()) return std::nullopt;
  const Chunk* chunk = &chunk_at(cursor);
  if (cursor.entry >= chunk->entries.size()) {
    if (cursor.chunk + 1 >= first_chunk_ + chunks_.size()) return std::nullopt;
    cursor = {cursor.chunk + 1, 0};
    chunk = &chunk_at(cursor);
  }
  const Entry& entry = chunk->entries[cursor.entry];
  return View{entry.lsn, &entry.id, &chunk->labels[entry.label], entry.label};
}

TaskEvent EventLog::event(const Cursor& cursor) const {
  const Chunk& chunk = chunk_at(cursor);
  const Entry& entry = chunk.entries[cursor.entry];
  const ChangeLabel& label = chunk.labels[entry.label];
  TaskEvent event;
  event.id = entry.id;
  event.state = entry.state;
  event.failure = entry.failure;
  event.attempt = entry.attempt;
  event.tool = label.tool;
  event.script = label.script;
  if (entry.worker != 0) event.worker = chunk.workers[entry.worker - 1];
  if (entry.state == TaskState::success) event.percent = 100.0;
  event.message.assign(chunk.texts, entry.text, entry.text_bytes);
  event.at = entry.at;
  event.seq = entry.lsn.value();
  return event;
}

std::optional<WorkflowEvent> EventLog::workflow(const Cursor& cursor) const {
  const Chunk& chunk = chunk_at(cursor);
  const Entry& entry = chunk.entries[cursor.entry];
  if (entry.counts == 0) return std::nullopt;
  const Counts& counts = chunk.counts[entry.counts - 1];
  return WorkflowEvent{*chunk.labels[entry.label].workflow, counts.total, counts.ended,
                       counts.succeeded};
}

}  // namespace taskpipe::broker
