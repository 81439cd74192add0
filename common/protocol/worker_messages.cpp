// What workers and broker say to each other after WELCOME.
#include "common/protocol/body_codec_impl.hpp"
#include "common/protocol/shared_schema.hpp"

namespace taskpipe::protocol {

template <>
struct Schema<Reconcile> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "keep", s.keep, kAttempts);
    f.optional(2, "kill", s.kill, kAttempts);
    f.optional(3, "resend", s.resend, kAttempts);
    f.optional(4, "drop", s.drop, kAttempts);
  }
};

template <>
struct Schema<Credit> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "slots_total", s.slots_total);
    f.required(2, "bytes_total", s.bytes_total);
  }
};

template <>
struct Schema<TaskItem> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("attempt", s.attempt);
    f.element("spec", s.spec);
    f.element("placements", s.placements, up_to_items(limits::kMaxPlacements));
    f.element("params", s.params, kParams);
  }
};

template <>
struct Schema<Tasks> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "specs", s.specs, kBatch);
    f.required(2, "items", s.items, kBatch);
  }
  static std::optional<Defect> check(const Tasks& s) { return check_spec_indices(s); }
};

template <>
struct Schema<TaskRefusal> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("attempt", s.attempt);
    f.element("error", s.error);
  }
};

template <>
struct Schema<TasksAck> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "refused", s.refused, kBatch);
  }
};

template <>
struct Schema<Recall> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "attempts", s.attempts, kBatch);
  }
};

template <>
struct Schema<Returned> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "attempts", s.attempts, kBatch);
  }
};

template <>
struct Schema<StartedItem> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("attempt", s.attempt);
    f.element("pid", s.pid);
  }
};

template <>
struct Schema<Started> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
  }
};

template <>
struct Schema<ProgressItem> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("attempt", s.attempt);
    f.percent_element("percent", s.percent);
    f.element("message", s.message, prose());
    f.element("metrics", s.metrics, kProgressMetrics);
  }
};

template <>
struct Schema<Progress> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
  }
};

template <>
struct Schema<LogItem> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("attempt", s.attempt);
    f.element("stream", s.stream);
    f.element("offset", s.offset);
    f.element("data", s.data, up_to_bytes(limits::kMaxLogChunkBytes));
  }
};

template <>
struct Schema<Log> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
  }
};

template <>
struct Schema<ResultItem> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("attempt", s.attempt);
    f.element("outcome", s.outcome);
  }
};

template <>
struct Schema<Result> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
  }
};

template <>
struct Schema<ResultCode> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("attempt", s.attempt);
    f.element("code", s.code);
  }
};

template <>
struct Schema<ResultAck> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
  }
};

template <>
struct Schema<KillItem> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("attempt", s.attempt);
    f.element("grace_ms", s.grace_ms);
  }
};

template <>
struct Schema<Kill> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
  }
};

template <>
struct Schema<Drain> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "deadline_ms", s.deadline_ms);
  }
};

template <>
struct Schema<Drained> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "finished", s.finished);
  }
};

template void write_body(BodyWriter&, const Reconcile&);
template void read_body(BodyReader&, Reconcile&);
template void write_body(BodyWriter&, const Credit&);
template void read_body(BodyReader&, Credit&);
template void write_body(BodyWriter&, const Tasks&);
template void read_body(BodyReader&, Tasks&);
template void write_body(BodyWriter&, const TasksAck&);
template void read_body(BodyReader&, TasksAck&);
template void write_body(BodyWriter&, const Recall&);
template void read_body(BodyReader&, Recall&);
template void write_body(BodyWriter&, const Returned&);
template void read_body(BodyReader&, Returned&);
template void write_body(BodyWriter&, const Started&);
template void read_body(BodyReader&, Started&);
template void write_body(BodyWriter&, const Progress&);
template void read_body(BodyReader&, Progress&);
template void write_body(BodyWriter&, const Log&);
template void read_body(BodyReader&, Log&);
template void write_body(BodyWriter&, const Result&);
template void read_body(BodyReader&, Result&);
template void write_body(BodyWriter&, const ResultAck&);
template void read_body(BodyReader&, ResultAck&);
template void write_body(BodyWriter&, const Kill&);
template void read_body(BodyReader&, Kill&);
template void write_body(BodyWriter&, const Drain&);
template void read_body(BodyReader&, Drain&);
template void write_body(BodyWriter&, const Drained&);
template void read_body(BodyReader&, Drained&);

}  // namespace taskpipe::protocol
