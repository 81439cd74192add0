// What clients submit, await and cancel, and the answers.
#include "common/protocol/body_codec_impl.hpp"
#include "common/protocol/shared_schema.hpp"

namespace taskpipe::protocol {

template <>
struct Schema<SubmitItem> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("task_id", s.id);
    f.element("spec", s.spec);
    f.element("params", s.params, kParams);
    f.element("params_hash", s.params_hash);
  }
};

template <>
struct Schema<Submit> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "specs", s.specs, kBatch);
    f.required(2, "items", s.items, kBatch);
    f.optional(3, "wait", s.wait);
  }
  static std::optional<Defect> check(const Submit& s) { return check_spec_indices(s); }
};

template <>
struct Schema<TaskCode> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("task_id", s.id);
    f.element("code", s.code);
  }
};

template <>
struct Schema<SubmitAck> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
    f.optional(2, "error", s.error);
    f.required(3, "messages_total", s.messages_total);
    f.required(4, "bytes_total", s.bytes_total);
    f.optional(5, "waits", s.waits);
  }
};

template <>
struct Schema<SubmitWorkflow> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "workflow_id", s.id);
    f.optional(2, "name", s.name, kName);
    f.optional(3, "on_failure", s.on_failure);
    f.optional(4, "first_index", s.first_index);
    f.required(5, "total", s.total);
    f.required(6, "specs", s.specs, kBatch);
    f.required(7, "items", s.items, kBatch);
    f.required(8, "dependencies", s.dependencies, kBatch);
  }
  static std::optional<Defect> check(const SubmitWorkflow& s) {
    if (s.dependencies.size() != s.items.size()) {
      return Defect{ErrorCode::invalid, "dependencies",
                    "has " + std::to_string(s.dependencies.size()) + " entries for " +
                        std::to_string(s.items.size()) + " items"};
    }
    return check_spec_indices(s);
  }
};

template <>
struct Schema<WorkflowAck> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "workflow_id", s.id);
    f.required(2, "received", s.received);
    f.required(3, "error", s.error);
  }
};

template <>
struct Schema<Wait> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "tasks", s.tasks, kBatch);
    f.optional(2, "workflows", s.workflows, kBatch);
  }
};

template <>
struct Schema<DoneTask> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("attempt", s.attempt);
    f.element("outcome", s.outcome);
    f.element("worker", s.worker, kName);
    f.element("submitted", s.submitted);
    f.element("started", s.started);
    f.element("finished", s.finished);
  }
};

template <>
struct Schema<DoneWorkflow> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("workflow_id", s.id);
    f.element("total", s.total);
    f.element("succeeded", s.succeeded);
  }
};

template <>
struct Schema<Done> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "tasks", s.tasks, kBatch);
    f.optional(2, "workflows", s.workflows, kBatch);
    f.optional(3, "unknown", s.unknown, kBatch);
    f.optional(4, "unknown_workflows", s.unknown_workflows, kBatch);
  }
};

template <>
struct Schema<ResubmitItem> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("original", s.original);
    f.element("task_id", s.id);
  }
};

template <>
struct Schema<Resubmit> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
  }
};

template <>
struct Schema<ResubmitAck> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
    f.optional(2, "error", s.error);
  }
};

template <>
struct Schema<Cancel> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "tasks", s.tasks, kBatch);
    f.optional(2, "workflows", s.workflows, kBatch);
    f.optional(3, "grace_ms", s.grace_ms);
  }
};

template <>
struct Schema<CancelCode> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("task_id", s.id);
    f.element("code", s.code);
    f.element("was_live", s.was_live);
  }
};

template <>
struct Schema<CancelAck> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "items", s.items, kBatch);
    f.optional(2, "more", s.more);
  }
};

template void write_body(BodyWriter&, const Submit&);
template void read_body(BodyReader&, Submit&);
template void write_body(BodyWriter&, const SubmitAck&);
template void read_body(BodyReader&, SubmitAck&);
template void write_body(BodyWriter&, const SubmitWorkflow&);
template void read_body(BodyReader&, SubmitWorkflow&);
template void write_body(BodyWriter&, const WorkflowAck&);
template void read_body(BodyReader&, WorkflowAck&);
template void write_body(BodyWriter&, const Wait&);
template void read_body(BodyReader&, Wait&);
template void write_body(BodyWriter&, const Done&);
template void read_body(BodyReader&, Done&);
template void write_body(BodyWriter&, const Resubmit&);
template void read_body(BodyReader&, Resubmit&);
template void write_body(BodyWriter&, const ResubmitAck&);
template void read_body(BodyReader&, ResubmitAck&);
template void write_body(BodyWriter&, const Cancel&);
template void read_body(BodyReader&, Cancel&);
template void write_body(BodyWriter&, const CancelAck&);
template void read_body(BodyReader&, CancelAck&);

}  // namespace taskpipe::protocol
