// Bodies of the messages; each is instantiated in the file of its group (session_messages.cpp, …).
// Private to common/protocol.
#pragma once

#include "common/protocol/body_reader.hpp"
#include "common/protocol/body_writer.hpp"

namespace taskpipe::protocol {

template <class Body>
void write_body(BodyWriter& out, const Body& body);

template <class Body>
void read_body(BodyReader& in, Body& body);

}  // namespace taskpipe::protocol
