// Ends a blocking call of the main thread when a Python signal handler raises (Ctrl-C), or when the
// caller asks for its stop.
//
//   Attention attention(timeout_ms, stop);
//   auto result = attention.wait_for([&](const CallOptions& options) {
//     return client->wait(id, options);
//   });
//
// The function runs without the GIL. Where a signal handler, or a Python callback that the function
// called, has raised, that exception is thrown rather than anything returned.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <stop_token>

#include "taskpipe/client.hpp"

namespace taskpipe::python {

// What a Python thread holds to end a call of another one. Requesting twice is harmless.
class Stop {
 public:
  void request() { source_.request_stop(); }
  [[nodiscard]] bool requested() const { return source_.stop_requested(); }
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
};

// Counts the calls of this process that are without the GIL. Holding the GIL.
class InProgress {
 public:
  InProgress();
  InProgress(const InProgress&) = delete;
  InProgress& operator=(const InProgress&) = delete;
  ~InProgress();
};

// Waits, at most so long, until no call is in progress: a thread that came back to an interpreter
// that is being taken down would be ended amid its C++ frames, which ends the process.
void await_calls(std::int64_t limit_ms);

class Attention {
 public:
  // Holding the GIL. Signal handlers run in the main thread, so others need not look for them.
  explicit Attention(std::optional<std::int64_t> timeout_ms, const Stop* stop = nullptr);
  Attention(const Attention&) = delete;
  Attention& operator=(const Attention&) = delete;
  ~Attention() = default;

  [[nodiscard]] const CallOptions& options() const { return options_; }

  template <class Call>
  [[nodiscard]] auto wait_for(const Call& call) {
    const InProgress counted;
    auto result = [&] {
      const nanobind::gil_scoped_release released;
      return call(options_);
    }();
    if (raised_) std::rethrow_exception(raised_);
    return result;
  }

 private:
  [[nodiscard]] bool keep_waiting();

  CallOptions options_;
  std::exception_ptr raised_;
};

}  // namespace taskpipe::python
