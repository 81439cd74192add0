#include "client/cli/event_lines.hpp"

#include <cmath>
#include <cstdint>
#include <utility>

#include "client/cli/display_text.hpp"
#include "client/cli/documents.hpp"
#include "client/cli/progress_lines.hpp"
#include "client/cli/quantities.hpp"
#include "client/cli/task_ids.hpp"
#include "common/process/clock.hpp"

namespace taskpipe::cli {
namespace {

constexpr std::size_t kKindColumns = 10;

class Writer {
 public:
  Writer(const EventBatch& batch, const TextStyle& style, WallTime now)
      : batch_(batch), style_(style), now_(now) {}

  std::vector<EventItem> states(bool first_page) {
    if (first_page) {
      add("resynchronised", now_,
          painted("what happened before is not kept any more; the tasks of " +
                      printable(batch_.topic) + " that live are:",
                  Tone::warning, style_.colours),
          {});
      items_.back().counts = false;
    }
    for (const TaskEvent& event : batch_.events.tasks) add_task(event, "state");
    for (const WorkflowEvent& event : batch_.events.workflows) add_workflow(event);
    return std::move(items_);
  }

  std::vector<EventItem> items() {
    if (batch_.gap) add_gap();
    for (const TaskEvent& event : batch_.events.tasks) add_task(event);
    for (const WorkflowEvent& event : batch_.events.workflows) add_workflow(event);
    for (const WorkerEvent& event : batch_.events.workers) add_worker(event);
    if (batch_.topic.starts_with("heartbeat.")) {
      add("heartbeat", now_,
          std::to_string(batch_.events.positions.size()) + " streams, start number " +
              std::to_string(batch_.events.epoch.value()),
          ValueMap{{"streams", number(batch_.events.positions.size())}});
    }
    return std::move(items_);
  }

 private:
  static Value number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

  void add(std::string_view kind, WallTime at, const std::string& text, ValueMap map,
           std::uint64_t seq = 0) {
    map["type"] = kind;
    map["topic"] = batch_.topic;
    map["at"] = process::to_iso_text(at);
    if (batch_.events.epoch != Epoch{}) map["epoch"] = number(batch_.events.epoch.value());
    map["seq"] = number(seq != 0 ? seq : batch_.events.seq);
    items_.push_back(
        {time_of_day_text(at) + "  " + padded(kind, kKindColumns) + text, Value(std::move(map))});
  }

  void add_gap() {
    add("gap", now_,
        painted("events of " + printable(batch_.topic) + " may be missing before this",
                Tone::warning, style_.colours),
        {});
    items_.back().counts = false;
  }

  // A change names its own number; anything else about a task is progress, or a present state.
  void add_task(const TaskEvent& event, std::string_view kind = {}) {
    Value document = event_document(event);
    const bool is_progress =
        batch_.topic.starts_with("progress.") || (event.seq == 0 && event.percent >= 0);
    if (kind.empty()) kind = is_progress ? "progress" : "task";
    std::string text = printable(label_of(event.tool, event.script)) + "  " +
                       painted(name_of(event.state), tone_of(event.state), style_.colours);
    if (event.percent >= 0) {
      text += " " + std::to_string(static_cast<int>(std::floor(event.percent))) + "%";
    }
    if (!event.worker.empty()) text += "  on " + printable(event.worker);
    text += "  " + painted(event.id.to_string(), Tone::faint, style_.colours);
    if (event.failure != FailureClass::none) text += "  " + std::string(name_of(event.failure));
    if (!event.message.empty()) text += "  " + printable(event.message);
    add(kind, event.at.unix_ms == 0 ? now_ : event.at, text,
        std::move(std::get<ValueMap>(document.storage())), event.seq);
  }

  void add_workflow(const WorkflowEvent& event) {
    add("workflow", now_,
        event.id.to_string() + "  " + std::to_string(event.ended) + "/" +
            std::to_string(event.total) + " done, " + std::to_string(event.succeeded) +
            " successful",
        ValueMap{{"workflow_id", event.id.to_string()},
                 {"total", number(event.total)},
                 {"ended", number(event.ended)},
                 {"succeeded", number(event.succeeded)}});
  }

  void add_worker(const WorkerEvent& event) {
    add("worker", now_, printable(event.name) + "  " + std::string(name_of(event.state)),
        ValueMap{{"uuid", event.uuid.to_string()},
                 {"name", event.name},
                 {"state", name_of(event.state)}});
  }

  const EventBatch& batch_;
  const TextStyle& style_;
  WallTime now_;
  std::vector<EventItem> items_;
};

}  // namespace

std::vector<EventItem> change_items(const std::string& stream, const StreamChanges& changes,
                                    const TextStyle& style, WallTime now) {
  EventBatch batch;
  batch.topic = stream;
  batch.events.seq = changes.seq;
  batch.events.tasks = changes.tasks;
  batch.events.workflows = changes.workflows;
  Writer writer(batch, style, now);
  return changes.resynchronised ? writer.states(changes.first_page) : writer.items();
}

std::vector<EventItem> event_items(const EventBatch& batch, const TextStyle& style, WallTime now) {
  return Writer(batch, style, now).items();
}

}  // namespace taskpipe::cli
