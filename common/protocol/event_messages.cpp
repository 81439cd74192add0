// What happens to tasks: on the PUB channel, and told to whoever watches.
#include "common/protocol/big_endian.hpp"
#include "common/protocol/body_codec_impl.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/shared_schema.hpp"

namespace taskpipe::protocol {
namespace {

// On the PUB channel the position is a frame of its own, and the body holds only the items.
struct EventItems : Events {};

template <class Fields, class Struct>
void item_fields(Fields& f, Struct& s) {
  f.optional(4, "tasks", s.tasks, kBatch);
  f.optional(5, "workflows", s.workflows, kBatch);
  f.optional(6, "workers", s.workers, kBatch);
  f.optional(7, "positions", s.positions, up_to_items(limits::kMaxStreams));
  f.optional(8, "offset", s.offset);
}

}  // namespace

template <>
struct Schema<TaskEvent> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "task_id", s.id);
    f.required(2, "state", s.state);
    f.optional(3, "failure", s.failure);
    f.optional(4, "attempt", s.attempt);
    f.optional(5, "tool", s.tool, kName);
    f.optional(6, "script", s.script, kScriptName);
    f.optional(7, "worker", s.worker, kName);
    f.percent(8, "percent", s.percent);
    f.optional(9, "message", s.message, prose());
    f.optional(10, "metrics", s.metrics, kProgressMetrics);
    f.required(11, "at", s.at);
    f.optional(12, "seq", s.seq);
  }
};

template <>
struct Schema<WorkflowEvent> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "workflow_id", s.id);
    f.required(2, "total", s.total);
    f.required(3, "ended", s.ended);
    f.required(4, "succeeded", s.succeeded);
  }
};

template <>
struct Schema<WorkerEvent> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "uuid", s.uuid);
    f.optional(2, "name", s.name, kName);
    f.required(3, "state", s.state);
  }
};

template <>
struct Schema<StreamPosition> : TupleShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.element("topic", s.topic, up_to_bytes(limits::kMaxTopicBytes));
    f.element("seq", s.seq);
  }
};

template <>
struct Schema<Events> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "epoch", s.epoch);
    f.required(2, "prev_seq", s.prev_seq);
    f.required(3, "seq", s.seq);
    item_fields(f, s);
  }
};

template <>
struct Schema<EventItems> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    item_fields(f, s);
  }
};

// The keys of a filter are keys of the message itself.
template <class Fields, class Filter>
void filter_fields(Fields& f, Filter& s) {
  f.optional(1, "stream", s.stream, up_to_bytes(limits::kMaxTopicBytes));
  f.optional(2, "tasks", s.tasks, kBatch);
  f.optional(3, "everybody", s.everybody);
}

std::optional<Defect> check_filter(const StreamFilter& filter) {
  if (filter.stream.empty() || filter.tasks.empty()) return std::nullopt;
  return Defect{ErrorCode::invalid, "tasks", "and a stream exclude each other"};
}

template <>
struct Schema<Watch> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    filter_fields(f, s.filter);
    f.optional(4, "epoch", s.epoch);
    f.optional(5, "after_seq", s.after_seq);
    f.required(6, "credit", s.credit);
    f.optional(7, "progress", s.progress);
  }
  static std::optional<Defect> check(const Watch& s) { return check_filter(s.filter); }
};

template <>
struct Schema<WatchCredit> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "total", s.total);
    f.optional(2, "end", s.end);
  }
};

template <>
struct Schema<Snapshot> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    filter_fields(f, s.filter);
    f.optional(4, "cursor", s.cursor);
  }
  static std::optional<Defect> check(const Snapshot& s) { return check_filter(s.filter); }
};

template <>
struct Schema<Snap> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "epoch", s.epoch);
    f.required(2, "seq", s.seq);
    f.required(3, "oldest_seq", s.oldest_seq);
    f.optional(4, "tasks", s.tasks, up_to_items(limits::kMaxSnapshotRows));
    f.optional(5, "workflows", s.workflows, kBatch);
    f.optional(6, "next", s.next);
  }
};

template void write_body(BodyWriter&, const Events&);
template void read_body(BodyReader&, Events&);
template void write_body(BodyWriter&, const Watch&);
template void read_body(BodyReader&, Watch&);
template void write_body(BodyWriter&, const WatchCredit&);
template void read_body(BodyReader&, WatchCredit&);
template void write_body(BodyWriter&, const Snapshot&);
template void read_body(BodyReader&, Snapshot&);
template void write_body(BodyWriter&, const Snap&);
template void read_body(BodyReader&, Snap&);

EncodedEvents encode_events(std::string topic, const Events& events) {
  EncodedEvents encoded;
  encoded.topic = std::move(topic);
  store_big_endian(&encoded.position[0], events.epoch.value());
  store_big_endian(&encoded.position[8], events.prev_seq);
  store_big_endian(&encoded.position[16], events.seq);
  BodyWriter out;
  FieldCounter counter;
  item_fields(counter, events);
  out.map(counter.count);
  FieldWriter writer{out};
  item_fields(writer, events);
  if (!out.ok() || out.size() > limits::kMaxFrameBytes) {
    out = BodyWriter();
    out.map(0);
  }
  encoded.body = out.take_body();
  return encoded;
}

tl::expected<Events, Error> decode_events(FrameView position, FrameView body) {
  if (position.size() != sizeof(HeaderBytes)) {
    return tl::unexpected(Error{
        ErrorCode::malformed,
        "position has " + std::to_string(position.size()) + " bytes instead of 24", "position"});
  }
  if (body.size() > limits::kMaxFrameBytes) {
    return tl::unexpected(Error{ErrorCode::too_big, "body is larger than 4 MiB", "body"});
  }
  BodyReader in(body, {});
  EventItems items;
  read_fields(in, items);
  in.finish();
  if (!in.ok()) return tl::unexpected(*in.error());
  items.epoch = Epoch(load_big_endian<std::uint64_t>(&position[0]));
  items.prev_seq = load_big_endian<std::uint64_t>(&position[8]);
  items.seq = load_big_endian<std::uint64_t>(&position[16]);
  return Events(std::move(items));
}

}  // namespace taskpipe::protocol
