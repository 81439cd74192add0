// What clients ask: rows, logs, tools, workers, health.
#include "common/protocol/body_codec_impl.hpp"
#include "common/protocol/shared_schema.hpp"

namespace taskpipe::protocol {

// The filter's conditions are keys of QUERY itself.
template <>
struct Schema<Query> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "tasks", s.filter.tasks, kBatch);
    f.optional(2, "workflow_id", s.filter.workflow);
    f.optional(3, "state", s.filter.state);
    f.optional(4, "tool", s.filter.tool, kName);
    f.optional(5, "cursor", s.cursor, kText);
    f.optional(6, "limit", s.limit);
    f.optional(7, "with_params", s.with_params);
    f.optional(8, "with_attempts", s.with_attempts);
    f.optional(9, "dead", s.filter.dead);
  }
  static std::optional<Defect> check(const Query& s) {
    if (s.limit > limits::kMaxQueryRows) {
      return Defect{ErrorCode::invalid, "limit", "is more than 1000; follow `next` instead"};
    }
    if (s.with_params && s.filter.tasks.size() != 1) {
      return Defect{ErrorCode::invalid, "with_params", "takes exactly one id in `tasks`"};
    }
    if (s.with_attempts && s.filter.tasks.size() != 1) {
      return Defect{ErrorCode::invalid, "with_attempts", "takes exactly one id in `tasks`"};
    }
    if (s.with_attempts && s.with_params) {
      return Defect{ErrorCode::invalid, "with_attempts", "does not go together with with_params"};
    }
    return std::nullopt;
  }
};

template <>
struct Schema<PastAttempt> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("kind", s.kind);
    f.element("epoch", s.epoch);
    f.element("attempt", s.attempt);
    f.element("worker", s.worker, kName);
    f.element("started", s.started);
    f.element("ended", s.ended);
    f.element("outcome", s.outcome);
  }
};

template <>
struct Schema<TaskRow> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "task_id", s.id);
    f.optional(2, "workflow_id", s.workflow);
    f.optional(3, "owner", s.owner, kName);
    f.required(4, "tool", s.tool, kName);
    f.optional(5, "script", s.script, kScriptName);
    f.required(6, "state", s.state);
    f.optional(7, "failure", s.failure);
    f.optional(8, "priority", s.priority);
    f.optional(9, "attempt", s.attempt);
    f.optional(10, "worker", s.worker, kName);
    f.optional(11, "exit_code", s.exit_code);
    f.percent(12, "percent", s.progress_percent);
    f.optional(13, "message", s.message, prose());
    f.optional(14, "submitted", s.submitted);
    f.optional(15, "started", s.started);
    f.optional(16, "finished", s.finished);
    f.optional(17, "params", s.params, kParams);
    f.optional(18, "attempts", s.attempts, up_to_items(limits::kMaxPastAttempts));
    f.optional(19, "original", s.original);
  }
};

template <>
struct Schema<Rows> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "rows", s.rows, up_to_items(limits::kMaxQueryRows));
    f.optional(2, "unknown", s.unknown, kBatch);
    f.optional(3, "next", s.next, kText);
  }
};

template <>
struct Schema<Fetch> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "task_id", s.task);
    f.optional(2, "stream", s.stream);
    f.optional(3, "offset", s.offset);
    f.optional(4, "length", s.length);
    f.optional(5, "follow", s.follow);
    f.optional(6, "attempt", s.attempt);
  }
};

template <>
struct Schema<Chunk> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "task_id", s.task);
    f.optional(2, "stream", s.stream);
    f.required(3, "offset", s.offset);
    f.optional(4, "eof", s.eof);
    f.optional(5, "data", s.data, up_to_bytes(limits::kMaxLogChunkBytes));
    f.optional(6, "attempt", s.attempt);
  }
};

template <>
struct Schema<ToolsRequest> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "cursor", s.cursor, kText);
  }
};

template <>
struct Schema<WorkersRequest> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "cursor", s.cursor, kText);
  }
};

template <>
struct Schema<HealthRequest> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields&, Struct&) {}
};

template <>
struct Schema<ToolRow> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "offer", s.offer);
    f.required(2, "workers", s.workers);
  }
};

template <>
struct Schema<ToolsReply> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "tools", s.tools, up_to_items(limits::kMaxToolRows));
    f.optional(2, "next", s.next, kText);
  }
};

template <>
struct Schema<WorkerRow> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "uuid", s.uuid);
    f.optional(2, "name", s.name, kName);
    f.optional(3, "host", s.host, kName);
    f.optional(4, "pid", s.pid);
    f.required(5, "state", s.state);
    f.optional(6, "total", s.total);
    f.optional(7, "free", s.free);
    f.optional(8, "running", s.running);
    f.optional(9, "last_heard_ms", s.last_heard_ms);
    f.optional(10, "tools", s.tools,
               up_to_texts(limits::kMaxToolsPerWorker, limits::kMaxNameBytes));
    f.optional(11, "labels", s.labels, kLabels);
  }
  static std::optional<Defect> settle(WorkerRow& s) {
    return sort_unique(s.labels, &Label::key, "labels");
  }
};

template <>
struct Schema<WorkersReply> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "workers", s.workers, up_to_items(limits::kMaxSessions));
    f.optional(2, "next", s.next, kText);
  }
};

template <>
struct Schema<HealthReply> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "healthy", s.healthy);
    f.optional(2, "warnings", s.warnings, Bound{limits::kMaxWarnings, limits::kMaxTextBytes, true});
    f.optional(3, "version", s.version, kName);
    f.required(4, "epoch", s.epoch);
    f.optional(5, "uptime_ms", s.uptime_ms);
    f.optional(6, "workers_ready", s.workers_ready);
    f.optional(7, "tasks_pending", s.tasks_pending);
    f.optional(8, "tasks_running", s.tasks_running);
    f.optional(9, "tasks_finished", s.tasks_finished);
    f.optional(10, "journal_bytes", s.journal_bytes);
    f.optional(11, "history_lag_tasks", s.history_lag_tasks);
    f.optional(12, "memory_bytes", s.memory_bytes);
    f.optional(13, "memory_limit_bytes", s.memory_limit_bytes);
  }
};

template void write_body(BodyWriter&, const Query&);
template void read_body(BodyReader&, Query&);
template void write_body(BodyWriter&, const Rows&);
template void read_body(BodyReader&, Rows&);
template void write_body(BodyWriter&, const Fetch&);
template void read_body(BodyReader&, Fetch&);
template void write_body(BodyWriter&, const Chunk&);
template void read_body(BodyReader&, Chunk&);
template void write_body(BodyWriter&, const ToolsRequest&);
template void read_body(BodyReader&, ToolsRequest&);
template void write_body(BodyWriter&, const ToolsReply&);
template void read_body(BodyReader&, ToolsReply&);
template void write_body(BodyWriter&, const WorkersRequest&);
template void read_body(BodyReader&, WorkersRequest&);
template void write_body(BodyWriter&, const WorkersReply&);
template void read_body(BodyReader&, WorkersReply&);
template void write_body(BodyWriter&, const HealthRequest&);
template void read_body(BodyReader&, HealthRequest&);
template void write_body(BodyWriter&, const HealthReply&);
template void read_body(BodyReader&, HealthReply&);

}  // namespace taskpipe::protocol
