#include "client/python/native/attention.hpp"

#include <unistd.h>

#include <chrono>
#include <thread>

namespace taskpipe::python {
namespace nb = nanobind;
namespace {

bool is_main_thread() {
  const nb::object main = nb::module_::import_("threading").attr("main_thread")().attr("ident");
  return nb::cast<unsigned long>(main) == PyThread_get_thread_ident();
}

// Both are used with the GIL only.
int calls_in_progress = 0;
pid_t counting_process = 0;  // a forked child inherits the count, but not the threads

}  // namespace

InProgress::InProgress() {
  if (counting_process != ::getpid()) {
    counting_process = ::getpid();
    calls_in_progress = 0;
  }
  ++calls_in_progress;
}

InProgress::~InProgress() {
  if (counting_process == ::getpid() && calls_in_progress > 0) --calls_in_progress;
}

void await_calls(std::int64_t limit_ms) {
  const auto deadline = std::chrono::steady_clock::now() + Millis(limit_ms);
  while (counting_process == ::getpid() && calls_in_progress > 0 &&
         std::chrono::steady_clock::now() < deadline) {
    const nb::gil_scoped_release released;
    std::this_thread::sleep_for(Millis(1));
  }
}

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
