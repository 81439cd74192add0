// Every handler of the core, by the file that holds it. All are free functions on a Turn; none
// blocks or throws for what a peer can cause.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/core/turn.hpp"

namespace taskpipe::broker {

// --- session.cpp: who is connected --------------------------------------------------------------
void on_probe(Turn& turn, const Peer& peer);
void on_hello(Turn& turn, const Peer& peer, Correlation correlation, const Hello& hello,
              const CredentialPtr& credential);
// Ends the sessions of these keys.
void on_keys_revoked(Turn& turn, const std::vector<std::string>& keys);
// The session that a message belongs to, or null (and WHO to the peer) when there is none.
Session* admit(Turn& turn, const Peer& peer, SessionId claimed);
void on_malformed(Turn& turn, const command::MalformedReceived& command);
void on_unreachable(Turn& turn, const Peer& peer);
// Forgets the session; a worker's tasks stay placed until its lease ends.
void close_session(Turn& turn, SessionId id);

// --- worker_session.cpp: HELLO of a worker, reconcile, loss -------------------------------------
void attach_worker(Turn& turn, Session& session, const Hello& hello);
// `restarted`: another process of the same worker was connected before.
void reconcile(Turn& turn, const Session& session, const WorkerOffer& offer, bool restarted);
void detach_worker(Turn& turn, WorkerSlot slot);
// The lease is over: its tasks go to others.
void lose_worker(Turn& turn, WorkerSlot slot);

// --- worker_messages.cpp ------------------------------------------------------------------------
void on_credit(Turn& turn, Session& session, const Credit& credit);
void on_tasks_ack(Turn& turn, Session& session, const TasksAck& ack);
void on_returned(Turn& turn, Session& session, const Returned& returned);
void on_started(Turn& turn, Session& session, const Started& started);
void on_progress(Turn& turn, Session& session, Progress& progress);
void on_result(Turn& turn, Session& session, Correlation correlation, Result& result);
void on_drained(Turn& turn, Session& session, const Drained& drained);
void requeue(Turn& turn, const std::vector<TaskSlot>& slots, record::RequeueCause cause);

// --- submit.cpp ---------------------------------------------------------------------------------
void on_submit(Turn& turn, Session& session, Correlation correlation, bool resend, Submit submit);
// Whether a SUBMIT or WORKFLOW may have come before: then only the history knows whether its tasks
// have ended. A client says so by RESEND; a relay that repeats messages shows by correlations that
// do not rise. Remembers the correlation.
[[nodiscard]] bool may_have_come_before(Session& session, Correlation correlation, bool resend);
void resume_submit(Turn& turn, lookup::Submitting& waiting, const std::vector<FinishedTask>& found);
// Why the broker takes no submits now, or nothing.
std::optional<Error> why_closed(const State& state);
Error conflict(const TaskId& id);
// Why nobody could ever run it, or nothing. What a signature passed or lacks is remembered until
// the offers change.
std::optional<Error> why_unsatisfiable(State& state, const TaskSpecPtr& spec);

// --- submit_workflow.cpp ------------------------------------------------------------------------
void on_submit_workflow(Turn& turn, Session& session, Correlation correlation, bool resend,
                        SubmitWorkflow part);
void resume_submit(Turn& turn, lookup::SubmittingWorkflow& waiting,
                   const std::vector<FinishedWorkflow>& found);

// --- wait.cpp -----------------------------------------------------------------------------------
void on_wait(Turn& turn, Session& session, Correlation correlation, const Wait& wait);
void wait_for_task(Turn& turn, Session& session, TaskSlot slot);  // or tells that it has ended
void tell_end(Turn& turn, Session& session, const FinishedTask& task);
void resume_wait(Turn& turn, lookup::Waiting& waiting, std::vector<FinishedTask>& found);
void resume_wait(Turn& turn, lookup::WaitingWorkflows& waiting,
                 const std::vector<FinishedWorkflow>& found);
void tell_waiters(Turn& turn, TaskSlot slot);
void tell_waiters(Turn& turn, WorkflowSlot slot);
void flush_done(Turn& turn);

// --- run.cpp: SUBMITs that wait for what they submit ---------------------------------------------
// For what was submitted and accepted: each is held, or among `found` in the history.
void wait_for_submitted(Turn& turn, Session& session, const std::vector<TaskId>& tasks,
                        const std::vector<FinishedTask>& found);
// An acknowledgement without which the client will have its answer, if the task is short: to be
// woken for each costs it more than the message.
void send_late(Turn& turn, Session& session, Correlation correlation, SubmitAck ack);
void send_late_acks(Turn& turn, Session& session);
void check_late_acks(Turn& turn, SessionId id);

// --- retry.cpp: failed attempts, and what waits for a time --------------------------------------
// Attempts that are over (live tasks, each once): those that failed and may be tried again are, the
// others end their tasks.
void conclude(Turn& turn, std::vector<record::FinishedItem> items);
// Sets the alarms of tasks that have begun to wait for a time.
void arm_tasks(Turn& turn);
void fire_alarms(Turn& turn);

// --- ending.cpp: what follows from a task's end -------------------------------------------------
// Commits the end of `items` (live tasks) and everything that follows: DONE, events, and the
// cancellation of dependents. Returns the record's number.
Lsn finish(Turn& turn, std::vector<record::FinishedItem> items);
// Ends dependents that lost their chance; called after anything that may have doomed some.
void finish_doomed(Turn& turn);
Outcome cancelled_outcome(std::string reason);
// The present state with the last progress; `at` is when it came about.
TaskEvent task_event(const State& state, TaskSlot slot, WallTime at);
// Who has it, or had it when it ended; kNoSlot = nobody.
[[nodiscard]] WorkerSlot worker_of(const Task& task);

// --- query.cpp ----------------------------------------------------------------------------------
void on_query(Turn& turn, Session& session, Correlation correlation, const Query& query);
void resume_query(Turn& turn, lookup::Querying& waiting, const command::LookupAnswered& answer);

// --- cluster_status.cpp -------------------------------------------------------------------------
void on_tools(Turn& turn, Session& session, Correlation correlation, const ToolsRequest& request);
void on_workers(Turn& turn, Session& session, Correlation correlation,
                const WorkersRequest& request);
void on_health(Turn& turn, Session& session, Correlation correlation);

// --- resubmit.cpp: dead letters once more -------------------------------------------------------
void on_resubmit(Turn& turn, Session& session, Correlation correlation, Resubmit resubmit);
void resume_resubmit(Turn& turn, lookup::Resubmitting& waiting,
                     const std::vector<FinishedTask>& found);

// --- watch.cpp ----------------------------------------------------------------------------------
void on_watch(Turn& turn, Session& session, Correlation correlation, const Watch& watch);
void on_watch_credit(Turn& turn, Session& session, Correlation correlation,
                     const WatchCredit& credit);
// Once a second: who heard nothing is told how far it is, so that it can go on from there.
void tell_positions(State& state);
void serve_watches(Turn& turn);
// A running task has told how far it is: who watches its progress will hear it in this turn.
void watch_progress(State& state, TaskSlot slot, const Metrics& metrics);

// --- snapshot.cpp -------------------------------------------------------------------------------
void on_snapshot(Turn& turn, Session& session, Correlation correlation, const Snapshot& snapshot);

// --- cancel.cpp ---------------------------------------------------------------------------------
void on_cancel(Turn& turn, Session& session, Correlation correlation, const Cancel& cancel);
void resume_cancel(Turn& turn, lookup::Cancelling& waiting, const command::LookupAnswered& answer);

// --- log_fetch.cpp ------------------------------------------------------------------------------
void on_log(Turn& turn, Session& session, const Log& log);
void on_fetch(Turn& turn, Session& session, Correlation correlation, const Fetch& fetch);
void resume_fetch(Turn& turn, lookup::Fetching& waiting, const std::vector<FinishedTask>& found);
void on_chunk(Turn& turn, Session& session, Correlation correlation, Chunk chunk);
// False when it answers no FETCH that this session was asked.
bool on_fetch_refused(Turn& turn, const Session& session, Correlation correlation,
                      ErrorReply& refusal);
// The task has ended: tells everybody who follows its output.
void end_follows(Turn& turn, TaskSlot slot);
// The session is about to end.
void stop_follows(State& state, const Session& session);

// --- placement.cpp ------------------------------------------------------------------------------
void place_tasks(Turn& turn);
// Whether a worker that offers the signature's tool could run it, resources aside.
[[nodiscard]] bool serves(const OfferedTool& offered, const Signature& signature);

// --- task_outbox.cpp ----------------------------------------------------------------------------
// Adds a task that was dispatched to the worker's TASKS message.
void put_task(Turn& turn, WorkerSlot slot, TaskSlot task_slot);
// Closes the TASKS message under construction: the record first, then the message that reveals it.
void close_outbox(Turn& turn, WorkerSlot slot);

// --- recall.cpp ---------------------------------------------------------------------------------
// Has nothing to do and finds nothing queued: asks another for what it holds unstarted.
void recall_for(Turn& turn, WorkerSlot idle);
// The worker has answered a RECALL, or given something back by itself.
void end_recall(Turn& turn, WorkerSlot slot, bool gave_any);

// --- timers.cpp ---------------------------------------------------------------------------------
void fire_timers(Turn& turn);
void schedule(State& state, MonotonicTime at, TimerKind kind, std::uint64_t subject);
// Sees to it that a timer looks after the worker: suspect after missed heartbeats, lost at the
// lease.
void watch_silence(State& state, WorkerSlot slot);
void on_stall(Turn& turn, Millis duration);

// --- inputs.cpp ---------------------------------------------------------------------------------
void on_blobs_asked(Turn& turn, command::BlobsAsked command);

// --- archive.cpp --------------------------------------------------------------------------------
void on_history_ready(Turn& turn, const command::HistoryReady& command);
// Everything that ended at or below `watermark` may leave memory; a part of it does at once.
void on_history_committed(Turn& turn, Lsn watermark);
// Another part; what is left goes on in the next turn.
void forget_archived(Turn& turn);
[[nodiscard]] bool has_archived(const State& state);
// After a replay, before the tasks up to `watermark` leave memory.
void give_late_again(State& state, Lsn watermark);

// --- images.cpp ---------------------------------------------------------------------------------
void on_carry_forward(Turn& turn, const command::CarryForward& command);
// Everything below this is repeated later or no longer needed.
Lsn oldest_needed(const State& state);

}  // namespace taskpipe::broker
