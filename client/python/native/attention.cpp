#include "client/python/native/attention.hpp"

namespace taskpipe::python {
namespace nb = nanobind;
namespace {

bool is_main_thread() {
  const nb::object main = nb::module_::import_("threading").attr("main_thread")().attr("ident");
  return nb::cast<unsigned long>(main) == PyThread_get_thread_ident();
}

}  // namespace

Attention::Attention(std::optional<std::int64_t> timeout_ms, const Stop* stop) {
  if (timeout_ms) options_.timeout = Millis(*timeout_ms);
  if (stop != nullptr) options_.stop = stop->token();
  if (is_main_thread()) options_.keep_waiting = [this] { return keep_waiting(); };
}

bool Attention::keep_waiting() {
  if (raised_) return false;
  const nb::gil_scoped_acquire acquired;
  if (PyErr_CheckSignals() == 0) return true;
  raised_ = std::make_exception_ptr(nb::python_error());
  return false;
}

}  // namespace taskpipe::python
