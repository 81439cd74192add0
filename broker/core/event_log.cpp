#include "broker/core/event_log.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace taskpipe::broker {
namespace {

constexpr std::size_t kMostChunkRuns = 4096;
static_assert(kMostChunkRuns <= std::numeric_limits<std::uint16_t>::max());
constexpr std::size_t kFewestChunkRuns = 16;
constexpr std::uint64_t kChunksWanted = 16;  // in all of the retention: the floor moves by one
constexpr std::size_t kMostChunkTextBytes = 1U << 20U;  // of reasons, then the next chunk begins
// Tasks of a batch share their label; those of a few clients at once lie close together.
constexpr std::size_t kLabelLookBack = 8;

bool is_labelled(const ChangeLabel& label, const Change& change) {
  return label.owner == change.owner && label.tool == change.tool &&
         label.script == change.script &&
         label.workflow.has_value() == change.workflow.has_value() &&
         (!change.workflow || *label.workflow == change.workflow->id);
}

TaskId id_of(const TaskId& first, std::uint32_t place) {
  return TaskId(first.high(), first.low() + place);
}

}  // namespace

EventLog::EventLog(std::uint64_t retention_bytes)
    : retention_bytes_(retention_bytes),
      chunk_runs_(std::clamp<std::size_t>(retention_bytes / kChunksWanted / sizeof(Run),
                                          kFewestChunkRuns, kMostChunkRuns)) {}

void EventLog::append(const Change& change) {
  if (change.lsn <= floor_) return;  // a repetition of what was given up already, at replay
  if (goes_on(change)) {
    ++chunks_.back()->entries;
    ++entries_;
    return;
  }
  Chunk& chunk = open_chunk();
  Run run;
  run.id = change.id;
  run.lsn = change.lsn;
  run.at = change.at;
  run.first = chunk.entries;
  run.label = static_cast<std::uint16_t>(label_of(chunk, change));
  run.worker = static_cast<std::uint16_t>(worker_of(chunk, change));
  run.attempt = change.attempt;
  run.state = change.state;
  run.failure = change.failure;
  if (!change.reason.empty()) {
    run.text = static_cast<std::uint32_t>(chunk.texts.size());
    run.text_bytes =
        static_cast<std::uint16_t>(std::min(change.reason.size(), limits::kMaxTextBytes));
    chunk.texts.append(change.reason.substr(0, run.text_bytes));
    grow(chunk, run.text_bytes);
  }
  if (change.workflow && change.workflow->total > 0) {
    chunk.counts.push_back(
        {change.workflow->total, change.workflow->ended, change.workflow->succeeded});
    run.counts = static_cast<std::uint16_t>(chunk.counts.size());
    grow(chunk, sizeof(Counts));
  }
  chunk.runs.push_back(run);
  ++chunk.entries;
  ++entries_;
  while (bytes_ > retention_bytes_ && chunks_.size() > 1) give_up_oldest();
}

bool EventLog::goes_on(const Change& change) const {
  if (chunks_.empty()) return false;
  const Chunk& chunk = *chunks_.back();
  const Run& run = chunk.runs.back();
  if (run.lsn != change.lsn || run.state != change.state || run.attempt != change.attempt ||
      run.failure != change.failure || run.at != change.at || run.text_bytes != 0 ||
      run.counts != 0 || !change.reason.empty() || (change.workflow && change.workflow->total > 0))
    return false;
  const std::uint32_t length = chunk.entries - run.first;
  if (change.id.high() != run.id.high() || change.id.low() != run.id.low() + length) return false;
  if ((run.worker == 0) != change.worker_name.empty()) return false;
  if (run.worker != 0 && chunk.workers[run.worker - 1U] != change.worker_name) return false;
  return is_labelled(chunk.labels[run.label], change);
}

void EventLog::uncovered(Lsn lsn) {
  floor_ = std::max(floor_, lsn);
  while (!chunks_.empty() && chunks_.front()->runs.back().lsn <= floor_) give_up_oldest();
}

EventLog::Chunk& EventLog::open_chunk() {
  if (!chunks_.empty() && chunks_.back()->runs.size() < chunk_runs_ &&
      chunks_.back()->texts.size() < kMostChunkTextBytes) {
    return *chunks_.back();
  }
  std::unique_ptr<Chunk> chunk = std::move(spare_);
  if (!chunk) {
    chunk = std::make_unique<Chunk>();
    chunk->runs.reserve(chunk_runs_);
  }
  grow(*chunk, chunk_runs_ * sizeof(Run));
  chunks_.push_back(std::move(chunk));
  return *chunks_.back();
}

void EventLog::give_up_oldest() {
  std::unique_ptr<Chunk> oldest = std::move(chunks_.front());
  chunks_.pop_front();
  ++first_chunk_;
  floor_ = std::max(floor_, oldest->runs.back().lsn);
  bytes_ -= oldest->bytes;
  entries_ -= oldest->entries;
  oldest->runs.clear();
  oldest->entries = 0;
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
  auto& labels = chunk.labels;
  for (std::size_t back = 1; back <= std::min(kLabelLookBack, labels.size()); ++back) {
    const ChangeLabel& label = labels[labels.size() - back];
    if (is_labelled(label, change)) {
      tools_[label.tool_number].last = change.lsn;
      return static_cast<std::uint32_t>(labels.size() - back);
    }
  }
  const auto workflow = change.workflow ? std::optional(change.workflow->id) : std::nullopt;
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
  if (chunks_.empty()) return {first_chunk_, 0, 0};
  return {first_chunk_ + chunks_.size() - 1, chunks_.back()->entries,
          static_cast<std::uint32_t>(chunks_.back()->runs.size() - 1)};
}

EventLog::Cursor EventLog::after(Lsn lsn) const {
  assert(lsn >= floor_);
  const auto chunk = std::partition_point(chunks_.begin(), chunks_.end(), [lsn](const auto& held) {
    return held->runs.back().lsn <= lsn;
  });
  if (chunk == chunks_.end()) return end();
  const auto& runs = (*chunk)->runs;
  const auto run =
      std::partition_point(runs.begin(), runs.end(), [lsn](const Run& r) { return r.lsn <= lsn; });
  return {first_chunk_ + static_cast<std::uint64_t>(chunk - chunks_.begin()), run->first,
          static_cast<std::uint32_t>(run - runs.begin())};
}

const EventLog::Chunk& EventLog::chunk_at(const Cursor& cursor) const {
  assert(!overtaken(cursor));
  return *chunks_[static_cast<std::size_t>(cursor.chunk - first_chunk_)];
}

std::optional<EventLog::View> EventLog::at(Cursor& cursor) const {
  if (cursor.chunk >= first_chunk_ + chunks_.size()) return std::nullopt;
  const Chunk* chunk = &chunk_at(cursor);
  if (cursor.entry >= chunk->entries) {
    if (cursor.chunk + 1 >= first_chunk_ + chunks_.size()) return std::nullopt;
    cursor = {cursor.chunk + 1, 0, 0};
    chunk = &chunk_at(cursor);
  }
  cursor.run = run_of(*chunk, cursor.entry, cursor.run);
  const Run& run = chunk->runs[cursor.run];
  return View{run.lsn, id_of(run.id, cursor.entry - run.first), &chunk->labels[run.label],
              run.label};
}

std::uint32_t EventLog::run_of(const Chunk& chunk, std::uint32_t entry, std::uint32_t near) {
  const auto& runs = chunk.runs;
  const auto holds = [&](std::size_t run) {
    return run < runs.size() && runs[run].first <= entry &&
           (run + 1 == runs.size() || runs[run + 1].first > entry);
  };
  if (holds(near)) return near;
  if (holds(near + std::size_t{1})) return near + 1;
  const auto behind = std::partition_point(runs.begin(), runs.end(),
                                           [entry](const Run& run) { return run.first <= entry; });
  return static_cast<std::uint32_t>(behind - runs.begin() - 1);
}

TaskEvent EventLog::event(const Cursor& cursor) const {
  const Chunk& chunk = chunk_at(cursor);
  const Run& entry = chunk.runs[run_of(chunk, cursor.entry, cursor.run)];
  const ChangeLabel& label = chunk.labels[entry.label];
  TaskEvent event;
  event.id = id_of(entry.id, cursor.entry - entry.first);
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
  const Run& entry = chunk.runs[run_of(chunk, cursor.entry, cursor.run)];
  if (entry.counts == 0) return std::nullopt;
  const Counts& counts = chunk.counts[entry.counts - 1];
  return WorkflowEvent{*chunk.labels[entry.label].workflow, counts.total, counts.ended,
                       counts.succeeded};
}

}  // namespace taskpipe::broker
