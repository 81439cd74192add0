// Output of tasks: the newest bytes of running ones lie here, everything else with the worker.
#include <algorithm>
#include <utility>

#include "broker/core/authority.hpp"
#include "broker/core/handlers.hpp"
#include "broker/core/memory.hpp"

namespace taskpipe::broker {
namespace {

std::size_t wanted_length(const Fetch& fetch) {
  if (fetch.length == 0) return limits::kMaxLogChunkBytes;
  return std::min<std::size_t>(fetch.length, limits::kMaxLogChunkBytes);
}

// Offsets count in the output of one attempt: where another has begun since, that is read from its
// beginning.
Fetch of_attempt(Fetch fetch, Attempt newest) {
  if (fetch.attempt != newest && fetch.attempt != Attempt{}) fetch.offset = 0;
  fetch.attempt = newest;
  return fetch;
}

// Asks the worker that ran the task; its CHUNK comes back through on_chunk, its ERROR through
// on_fetch_refused.
// `when_absent` says whether it is worth while to ask again.
void forward(Turn& turn, const Session& session, Correlation correlation, const Fetch& fetch,
             WorkerSlot slot, ErrorCode when_absent) {
  State& state = turn.state;
  const Session* worker =
      slot.value() == kNoSlot ? nullptr : state.sessions.find(state.workers[slot].session);
  if (worker == nullptr) {
    const std::string name = slot.value() == kNoSlot ? "" : state.workers[slot].name;
    turn.refuse(session, correlation, when_absent,
                name.empty() ? "the task never ran, so it has no output"
                             : "worker '" + name + "', which holds this output, is not connected",
                "task_id");
    return;
  }
  if (state.forwarded_fetches.size() >= limits::kMaxForwardedFetches) {
    turn.refuse(session, correlation, ErrorCode::busy, "too many fetches are open; ask again");
    return;
  }
  const std::uint64_t ticket = ++state.last_ticket;
  state.forwarded_fetches[ticket] = {session.id, correlation, slot};
  Fetch forwarded = fetch;
  forwarded.follow = false;
  turn.send(*worker, Correlation{ticket}, std::move(forwarded));
}

// Passes on what the worker answered, to whoever asked; false when it was not asked this.
bool answer_forwarded(Turn& turn, const Session& worker, Correlation correlation, Message answer) {
  State& state = turn.state;
  if (worker.role != Role::worker) return false;
  const auto found = state.forwarded_fetches.find(correlation.value());
  if (found == state.forwarded_fetches.end() || found->second.worker != worker.worker) return false;
  const ForwardedFetch asked = found->second;
  state.forwarded_fetches.erase(found);
  if (const Session* client = state.sessions.find(asked.session)) {
    turn.send(*client, asked.correlation, std::move(answer));
  }
  return true;
}

// What the ring holds beyond what the follower has; true when something was sent.
bool feed(Turn& turn, const TaskId& id, LogStream stream, LogFollower& follower,
          const LogRing& ring) {
  const Session* session = turn.state.sessions.find(follower.session);
  if (session == nullptr) return false;
  bool sent = false;
  std::uint64_t offset = std::max(follower.next_offset, ring.begin());
  for (auto data = ring.read(offset, limits::kMaxLogChunkBytes); !data.empty();
       data = ring.read(offset, limits::kMaxLogChunkBytes)) {
    turn.send(*session, follower.correlation,
              Chunk{id, stream, offset, false, Payload(data), follower.attempt});
    offset += data.size();
    sent = true;
  }
  follower.next_offset = std::max(follower.next_offset, offset);
  return sent;
}

// Puts the item into its ring and feeds those who follow it.
void take_output(Turn& turn, TaskSlot slot, const LogItem& item) {
  State& state = turn.state;
  const auto [run, added] = state.runs.try_emplace(slot);
  LogRing& ring = run->second.logs[static_cast<std::size_t>(item.stream)];
  const std::uint64_t before = added ? 0 : memory_of(run->second);
  ring.append(item.offset, item.data.text());
  const auto followers = state.followers.find({item.attempt.task, item.stream});
  if (followers != state.followers.end()) {
    for (auto& follower : followers->second) {
      if (follower.attempt != item.attempt.attempt) {
        if (follower.attempt != Attempt{}) follower.next_offset = 0;
        follower.attempt = item.attempt.attempt;
      }
      feed(turn, item.attempt.task, item.stream, follower, ring);
    }
  }
  if (memory_is_full(state)) ring.drop();  // a FETCH asks the worker, then
  state.memory.exchange(before, memory_of(run->second));
}

void drop_follower(State& state, const std::pair<TaskId, LogStream>& key, SessionId session) {
  const auto found = state.followers.find(key);
  if (found == state.followers.end()) return;
  state.follower_count -= std::erase_if(
      found->second, [&](const LogFollower& other) { return other.session == session; });
  if (found->second.empty()) state.followers.erase(found);
}

void follow(Turn& turn, Session& session, Correlation correlation, const Fetch& fetch,
            const LogRing* ring) {
  State& state = turn.state;
  const std::pair key(fetch.task, fetch.stream);
  if (session.follows.contains(key)) {
    drop_follower(state, key, session.id);
  } else if (state.follower_count >= limits::kMaxLogFollowers) {
    turn.refuse(session, correlation, ErrorCode::busy, "too many logs are being followed");
    return;
  }
  session.follows.insert(key);
  ++state.follower_count;
  auto& followers = state.followers[key];
  followers.push_back({session.id, correlation, fetch.offset, fetch.attempt});
  if (ring != nullptr) feed(turn, fetch.task, fetch.stream, followers.back(), *ring);
}

}  // namespace

void on_log(Turn& turn, Session& session, const Log& log) {
  State& state = turn.state;
  for (const auto& item : log.items) {
    const TaskSlot slot = state.tasks.find(item.attempt.task);
    if (slot.value() == kNoSlot) continue;
    const Task& task = state.tasks[slot];
    const auto* placed = task.placed();
    if (placed == nullptr || placed->worker != session.worker ||
        !task.fence_is(item.attempt.epoch, item.attempt.attempt)) {
      continue;
    }
    take_output(turn, slot, item);
  }
}

void on_fetch(Turn& turn, Session& session, Correlation correlation, const Fetch& asked) {
  State& state = turn.state;
  const TaskSlot slot = state.tasks.find(asked.task);
  if (slot.value() == kNoSlot) {
    ask_history(turn, session, correlation, lookup::Fetching{session.id, correlation, asked},
                HistoryLookup::Tasks{{asked.task}});
    return;
  }
  const Task& task = state.tasks[slot];
  if (!may_see(session, task.owner)) {
    turn.refuse(session, correlation, ErrorCode::unknown_task, "no such task", "task_id");
    return;
  }
  const Fetch fetch = of_attempt(asked, task.attempt());
  if (task.ended()) {
    forward(turn, session, correlation, fetch, task.end().worker, ErrorCode::unsupported);
    return;
  }
  const auto run = state.runs.find(slot);
  const LogRing* ring =
      run == state.runs.end() ? nullptr : &run->second.logs[static_cast<std::size_t>(fetch.stream)];
  if (fetch.follow) {
    follow(turn, session, correlation, fetch, ring);
    return;
  }
  // An empty ring says nothing: the broker may have been started after the task.
  const bool held = ring != nullptr && ring->end() > 0 && fetch.offset >= ring->begin();
  if (!held && task.placed() != nullptr) {
    // It comes back or loses the task, within its lease.
    forward(turn, session, correlation, fetch, task.placed()->worker, ErrorCode::busy);
    return;
  }
  const auto data =
      ring == nullptr ? std::string_view() : ring->read(fetch.offset, wanted_length(fetch));
  turn.send(session, correlation,
            Chunk{fetch.task, fetch.stream, fetch.offset, false, Payload(data), fetch.attempt});
}

void resume_fetch(Turn& turn, lookup::Fetching& waiting, const std::vector<FinishedTask>& found) {
  State& state = turn.state;
  Session* session = state.sessions.find(waiting.session);
  if (session == nullptr) return;
  if (state.tasks.find(waiting.fetch.task).value() != kNoSlot) {  // submitted meanwhile
    on_fetch(turn, *session, waiting.correlation, waiting.fetch);
    return;
  }
  if (found.empty() || !may_see(state, *session, found[0].owner)) {
    turn.refuse(*session, waiting.correlation, ErrorCode::unknown_task, "no such task", "task_id");
    return;
  }
  WorkerSlot worker(kNoSlot);
  if (!found[0].placements.empty()) {
    worker = state.workers.find(found[0].placements[0].worker).value_or(WorkerSlot(kNoSlot));
  }
  forward(turn, *session, waiting.correlation, of_attempt(waiting.fetch, found[0].attempt), worker,
          ErrorCode::unsupported);
}

void on_chunk(Turn& turn, Session& session, Correlation correlation, Chunk chunk) {
  answer_forwarded(turn, session, correlation, std::move(chunk));
}

bool on_fetch_refused(Turn& turn, const Session& session, Correlation correlation,
                      ErrorReply& refusal) {
  return answer_forwarded(turn, session, correlation, std::move(refusal));
}

void stop_follows(State& state, const Session& session) {
  for (const auto& key : session.follows) drop_follower(state, key, session.id);
}

void end_follows(Turn& turn, TaskSlot slot) {
  State& state = turn.state;
  if (state.followers.empty()) return;
  const TaskId id = state.tasks[slot].id;
  for (const LogStream stream : {LogStream::out, LogStream::err}) {
    const auto followers = state.followers.find({id, stream});
    if (followers == state.followers.end()) continue;
    for (const auto& follower : followers->second) {
      if (Session* session = state.sessions.find(follower.session)) {
        session->follows.erase({id, stream});
        turn.send(*session, follower.correlation,
                  Chunk{id, stream, follower.next_offset, true, Payload(), follower.attempt});
      }
    }
    state.follower_count -= followers->second.size();
    state.followers.erase(followers);
  }
}

}  // namespace taskpipe::broker
