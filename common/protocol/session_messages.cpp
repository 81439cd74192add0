// WHO, HELLO, WELCOME, PING, PONG, BYE, ERROR.
#include "common/protocol/body_codec_impl.hpp"
#include "common/protocol/shared_schema.hpp"

namespace taskpipe::protocol {

template <>
struct Schema<Who> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "epoch", s.epoch);
  }
};

template <>
struct Schema<WorkerOffer> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "slots", s.slots);
    f.optional(2, "resources", s.resources);
    f.optional(3, "tools", s.tools, up_to_items(limits::kMaxToolsPerWorker));
    f.optional(4, "labels", s.labels, kLabels);
    f.optional(5, "running", s.running, kAttempts);
    f.optional(6, "unacknowledged", s.unacknowledged, kAttempts);
  }
  static std::optional<Defect> settle(WorkerOffer& s) {
    return sort_unique(s.labels, &Label::key, "labels");
  }
  static std::optional<Defect> check(const WorkerOffer& s) {
    if (s.running.size() + s.unacknowledged.size() <= limits::kMaxHelloAttempts) {
      return std::nullopt;
    }
    return Defect{ErrorCode::too_big, "running",
                  "and unacknowledged have more than 16384 entries together"};
  }
};

template <>
struct Schema<Hello> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "role", s.role);
    f.required(2, "user", s.user, kName);
    f.required(3, "uuid", s.uuid);
    f.required(4, "incarnation", s.incarnation);
    f.optional(5, "name", s.name, kName);
    f.optional(6, "host", s.host, kName);
    f.optional(7, "pid", s.pid);
    f.required(8, "version_min", s.version_min);
    f.required(9, "version_max", s.version_max);
    f.optional(10, "features", s.features,
               up_to_texts(limits::kMaxFeatures, limits::kMaxNameBytes));
    f.optional(11, "last_epoch", s.last_epoch);
    f.optional(12, "worker", s.worker);
  }
  static std::optional<Defect> check(const Hello& s) {
    if (s.role == Role::worker && !s.worker) {
      return Defect{ErrorCode::malformed, "worker", "is missing; a worker says what it offers"};
    }
    if (s.role == Role::client && s.worker) {
      return Defect{ErrorCode::invalid, "worker", "is there, but the role is client"};
    }
    if (s.role != Role::client && s.role != Role::worker) {
      return Defect{
          ErrorCode::invalid, "role",
          "is neither client nor worker; observers and admins are clients whose key says so"};
    }
    return std::nullopt;
  }
};

template <>
struct Schema<Welcome> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "version", s.version);
    f.required(2, "session", s.session);
    f.required(3, "broker", s.broker);
    f.required(4, "epoch", s.epoch);
    f.required(5, "heartbeat_ms", s.heartbeat_ms);
    f.required(6, "lease_ms", s.lease_ms);
    f.required(7, "max_message_bytes", s.max_message_bytes);
    f.required(8, "max_batch_items", s.max_batch_items);
    f.required(9, "messages_total", s.messages_total);
    f.required(10, "bytes_total", s.bytes_total);
    f.optional(11, "event_endpoint", s.event_endpoint, kText);
    f.optional(12, "bulk_endpoint", s.bulk_endpoint, kText);
    f.optional(13, "bulk_token", s.bulk_token);
    f.optional(14, "role", s.role);
    f.optional(15, "user", s.user, kName);
  }
};

template <>
struct Schema<Ping> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "t", s.t);
  }
};

template <>
struct Schema<Pong> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "t", s.t);
    f.required(2, "epoch", s.epoch);
  }
};

template <>
struct Schema<Bye> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "reason", s.reason, prose());
  }
};

// The body of ERROR is the error itself.
template <>
struct Schema<ErrorReply> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    Schema<Error>::fields(f, s.error);
  }
};

template void write_body(BodyWriter&, const Who&);
template void read_body(BodyReader&, Who&);
template void write_body(BodyWriter&, const Hello&);
template void read_body(BodyReader&, Hello&);
template void write_body(BodyWriter&, const Welcome&);
template void read_body(BodyReader&, Welcome&);
template void write_body(BodyWriter&, const Ping&);
template void read_body(BodyReader&, Ping&);
template void write_body(BodyWriter&, const Pong&);
template void read_body(BodyReader&, Pong&);
template void write_body(BodyWriter&, const Bye&);
template void read_body(BodyReader&, Bye&);
template void write_body(BodyWriter&, const ErrorReply&);
template void read_body(BodyReader&, ErrorReply&);

}  // namespace taskpipe::protocol
