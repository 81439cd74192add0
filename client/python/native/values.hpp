// Between Python objects and taskpipe::Value. Callers hold the GIL.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string_view>

#include "common/model/value.hpp"

namespace taskpipe::python {

// What a task's params become: None, bool, int of 64 bits, finite float, str, bytes, list, tuple,
// and dict with str keys; objects with __index__ count as int. Raises InvalidArgument that names
// the place ("params['grid'][2]") for anything else, for what contains itself, for what is nested
// deeper than limits::kMaxValueDepth or has more than limits::kMaxValueElements elements.
[[nodiscard]] ValueMap to_value_map(nanobind::handle object, const char* root);

// Lists become list, maps dict, bytes bytes.
[[nodiscard]] nanobind::object to_python(const Value& value);

// Text of a peer: bytes that are no UTF-8 show as U+FFFD rather than as an error.
[[nodiscard]] nanobind::object to_python(std::string_view text);

}  // namespace taskpipe::python
