// What goes over the bulk port.
#include "common/protocol/body_codec_impl.hpp"
#include "common/protocol/shared_schema.hpp"

namespace taskpipe::protocol {
namespace {

constexpr Bound kChunk = up_to_bytes(limits::kBulkChunkBytes);
constexpr Bound kSha256 = up_to_bytes(limits::kSha256HexBytes);

}  // namespace

template <>
struct Schema<BulkHello> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "token", s.token);
    f.optional(2, "connection", s.connection);
  }
};

template <>
struct Schema<BulkWelcome> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "chunk_bytes", s.chunk_bytes);
    f.required(2, "transfers", s.transfers);
  }
};

template <>
struct Schema<Put> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "sha256", s.sha256, kSha256);
    f.required(2, "size_bytes", s.size_bytes);
  }
  static std::optional<Defect> check(const Put& s) { return check_sha256(s.sha256); }
};

template <>
struct Schema<PutState> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "have", s.have);
    f.optional(2, "offset", s.offset);
    f.optional(3, "credit", s.credit);
  }
};

template <>
struct Schema<PutData> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "offset", s.offset);
    f.required(2, "data", s.data, kChunk);
  }
};

template <>
struct Schema<Get> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "sha256", s.sha256, kSha256);
    f.optional(2, "offset", s.offset);
    f.required(3, "credit", s.credit);
  }
  static std::optional<Defect> check(const Get& s) { return check_sha256(s.sha256); }
};

template <>
struct Schema<GetData> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "offset", s.offset);
    f.required(2, "size_bytes", s.size_bytes);
    f.required(3, "data", s.data, kChunk);
  }
};

template <>
struct Schema<GetCredit> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "credit", s.credit);
  }
};

template <>
struct Schema<BulkCancel> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields&, Struct&) {}
};

template void write_body(BodyWriter&, const BulkHello&);
template void read_body(BodyReader&, BulkHello&);
template void write_body(BodyWriter&, const BulkWelcome&);
template void read_body(BodyReader&, BulkWelcome&);
template void write_body(BodyWriter&, const Put&);
template void read_body(BodyReader&, Put&);
template void write_body(BodyWriter&, const PutState&);
template void read_body(BodyReader&, PutState&);
template void write_body(BodyWriter&, const PutData&);
template void read_body(BodyReader&, PutData&);
template void write_body(BodyWriter&, const Get&);
template void read_body(BodyReader&, Get&);
template void write_body(BodyWriter&, const GetData&);
template void read_body(BodyReader&, GetData&);
template void write_body(BodyWriter&, const GetCredit&);
template void read_body(BodyReader&, GetCredit&);
template void write_body(BodyWriter&, const BulkCancel&);
template void read_body(BodyReader&, BulkCancel&);

}  // namespace taskpipe::protocol
