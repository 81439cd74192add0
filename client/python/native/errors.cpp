#include "client/python/native/errors.hpp"

#include <string_view>

#include "client/python/native/values.hpp"
#include "common/model/error.hpp"

namespace taskpipe::python {
namespace nb = nanobind;
namespace {

nb::object errors_module() { return nb::module_::import_("taskpipe._errors"); }

[[noreturn]] void raise_object(nb::handle exception) {
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  throw nb::python_error();
}

nb::object or_none(const std::string& text) {
  return text.empty() ? nb::object(nb::none()) : to_python(std::string_view(text));
}

}  // namespace

nb::object exception_of(const ClientError& error) {
  const ErrorCode code = error.error.code;
  const std::string name = code == ErrorCode::ok ? "" : std::string(name_of(code));
  const std::string maybe = error.maybe_accepted ? error.maybe_accepted->to_string() : "";
  return errors_module().attr("from_native")(to_python(name_of(error.failure)), or_none(name),
                                             to_python(std::string_view(error.text())),
                                             or_none(error.error.field), or_none(maybe));
}

void raise(const ClientError& error) { raise_object(exception_of(error)); }

void raise(const BatchError& error) {
  nb::list ids;
  for (const TaskId& id : error.ids) ids.append(id.to_string());
  nb::dict refused;
  for (const auto& item : error.items) refused[nb::int_(item.index)] = exception_of(item.error);
  raise_object(errors_module().attr("BatchRefused")(ids, refused));
}

void raise_invalid(const std::string& field, const std::string& text) {
  raise(ClientError{CallFailure::refused, Error{ErrorCode::invalid, text, field}, {}});
}

}  // namespace taskpipe::python
