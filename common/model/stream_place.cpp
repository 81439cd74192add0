#include "common/model/stream_place.hpp"

#include <algorithm>
#include <utility>

namespace taskpipe {

bool StreamPlace::joins(const Events& events) const {
  if (events.prev_seq > seq_) return false;
  const bool goes_on = !events.tasks.empty() && events.tasks.front().seq == seq_ + 1;
  return !goes_on || events.offset <= ahead_;
}

bool StreamPlace::covers(const Events& events) const {
  if (events.seq > seq_) return false;
  if (events.tasks.empty() || events.tasks.back().seq <= seq_) return true;
  const std::uint64_t last = events.tasks.back().seq;
  const auto of_last = static_cast<std::uint32_t>(
      std::count_if(events.tasks.begin(), events.tasks.end(),
                    [last](const TaskEvent& event) { return event.seq == last; }));
  const std::uint32_t before = events.tasks.front().seq == last ? events.offset : 0;
  return last == seq_ + 1 && before + of_last <= ahead_;
}

std::vector<TaskEvent> StreamPlace::take(std::vector<TaskEvent> tasks, std::uint32_t offset,
                                         std::uint64_t seq) {
  std::vector<TaskEvent> fresh;
  fresh.reserve(tasks.size());
  std::uint64_t record = tasks.empty() ? 0 : tasks.front().seq;
  std::uint32_t told = offset;  // changes of `record` up to the present one
  for (TaskEvent& event : tasks) {
    if (std::exchange(record, event.seq) != event.seq) told = 0;
    ++told;
    const bool known = event.seq <= seq_ || (event.seq == seq_ + 1 && told <= ahead_);
    if (!known) fresh.push_back(std::move(event));
  }
  if (seq > seq_) ahead_ = 0;
  seq_ = std::max(seq_, seq);
  if (record == seq_ + 1) ahead_ = std::max(ahead_, told);
  return fresh;
}

}  // namespace taskpipe
