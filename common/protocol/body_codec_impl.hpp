// Definitions of body_codec.hpp, for the files that describe messages.
#pragma once

#include "common/protocol/body_codec.hpp"
#include "common/protocol/schema.hpp"

namespace taskpipe::protocol {

template <class Body>
void write_body(BodyWriter& out, const Body& body) {
  write_fields(out, body);
}

template <class Body>
void read_body(BodyReader& in, Body& body) {
  read_fields(in, body);
}

}  // namespace taskpipe::protocol
