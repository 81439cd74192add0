// A Python callable that threads without the GIL may hold, pass on and let go.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

namespace taskpipe::python {

class SharedCallable {
 public:
  // Holding the GIL.
  explicit SharedCallable(nanobind::object callable)
      : callable_(new nanobind::object(std::move(callable)), [](nanobind::object* object) {
          const nanobind::gil_scoped_acquire acquired;
          delete object;
        }) {}

  // Calls it with what `arguments` makes, both under the GIL. What it raises is reported as
  // "unraisable": on the client's thread nobody could catch it.
  template <class MakeArguments>
  void call(const MakeArguments& arguments) const noexcept {
    const nanobind::gil_scoped_acquire acquired;
    try {
      arguments(*callable_);
    } catch (nanobind::python_error& error) {
      error.discard_as_unraisable("taskpipe callback");
    } catch (const std::exception& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what());
      PyErr_WriteUnraisable(callable_->ptr());
    }
  }

 private:
  std::shared_ptr<nanobind::object> callable_;
};

}  // namespace taskpipe::python
