// Tools written in C++ that run inside the worker, on a pool of threads: for work so short that a
// process would cost more than the work, and for services with state of their own.
//
//   class Scale final : public taskpipe::worker::Handler {
//    public:
//     tl::expected<Value, Error> run(HandlerContext& context, const ValueMap& params) override {
//       const auto found = params.find("x");
//       const double* x = found == params.end() ? nullptr : found->second.as<double>();
//       if (x == nullptr) return tl::unexpected(Error{ErrorCode::invalid, "give x", "params.x"});
//       return Value(2 * *x);
//     }
//   };
//
// README.md in this folder shows a whole worker made of handlers.
#pragma once

#include <string_view>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/ids.hpp"
#include "common/model/task.hpp"
#include "common/model/time.hpp"
#include "common/model/value.hpp"

namespace taskpipe::worker {

// What a running handler knows of its attempt, and may tell. Belongs to one call of `run`; used by
// that thread only.
class HandlerContext {
 public:
  HandlerContext() = default;
  HandlerContext(const HandlerContext&) = delete;
  HandlerContext& operator=(const HandlerContext&) = delete;
  virtual ~HandlerContext() = default;

  [[nodiscard]] virtual const AttemptKey& attempt() const = 0;
  [[nodiscard]] virtual const TaskSpec& spec() const = 0;

  // Tells whoever follows the task; only the latest is kept. `percent` is 0 to 100, negative when
  // unknown. Cheap enough to be called often. A task with a no-progress limit must call it, or
  // return, more often than that.
  virtual void progress(double percent, std::string_view message = {}) = 0;

  // True once the task was cancelled, has exceeded its time limit, or has reported nothing for as
  // long as it may be silent: return soon, with any error. A thread cannot be killed, so a handler
  // that never asks cannot be stopped.
  [[nodiscard]] virtual bool cancelled() const = 0;
  // Waits; false when `cancelled` became true meanwhile.
  [[nodiscard]] virtual bool sleep(Millis duration) = 0;
};

class Handler {
 public:
  Handler() = default;
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;
  virtual ~Handler() = default;

  // Does the work. The value is the task's result (null costs nothing to send). An error, or an
  // exception, ends the task in FAILURE with its text as the reason; code `invalid` with a field
  // says that the params are at fault. Called from several threads at once.
  [[nodiscard]] virtual tl::expected<Value, Error> run(HandlerContext& context,
                                                       const ValueMap& params) = 0;

  // False spares the decoding of params; `run` then gets an empty map.
  [[nodiscard]] virtual bool reads_params() const { return true; }
};

}  // namespace taskpipe::worker
