// From errors of the client to the exceptions of taskpipe._errors. Callers hold the GIL.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "taskpipe/client.hpp"

namespace taskpipe::python {

// The exception object that stands for `error`.
[[nodiscard]] nanobind::object exception_of(const ClientError& error);
[[noreturn]] void raise(const ClientError& error);
// Names every item that was not accepted, and the ids of all.
[[noreturn]] void raise(const BatchError& error);
[[noreturn]] void raise_invalid(const std::string& field, const std::string& text);

}  // namespace taskpipe::python
