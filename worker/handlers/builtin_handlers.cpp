#include "worker/handlers/builtin_handlers.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace taskpipe::worker {
namespace {

class Noop final : public Handler {
 public:
  tl::expected<Value, Error> run(HandlerContext&, const ValueMap&) override { return Value(); }
  bool reads_params() const override { return false; }
};

class Echo final : public Handler {
 public:
  tl::expected<Value, Error> run(HandlerContext& context, const ValueMap& params) override {
    if (const auto found = params.find("sleep_ms"); found != params.end()) {
      const auto* total_ms = found->second.as<std::int64_t>();
      if (total_ms == nullptr || *total_ms < 0 || *total_ms > kMaxSleepMs) {
        return tl::unexpected(Error{
            ErrorCode::invalid,
            "sleep_ms is a whole number of milliseconds, at most " + std::to_string(kMaxSleepMs),
            "params.sleep_ms"});
      }
      if (!sleep(context, *total_ms)) {
        return tl::unexpected(Error{ErrorCode::shutting_down, "stopped while sleeping", ""});
      }
    }
    if (const auto found = params.find("fail"); found != params.end()) {
      return tl::unexpected(Error{ErrorCode::invalid, to_text(found->second), "params.fail"});
    }
    return Value(params);
  }

 private:
  static constexpr std::int64_t kMaxSleepMs = std::int64_t{24} * 3600 * 1000;
  static constexpr std::int64_t kSteps = 10;

  static bool sleep(HandlerContext& context, std::int64_t total_ms) {
    std::int64_t slept_ms = 0;
    for (std::int64_t step = 1; step <= kSteps; ++step) {
      const std::int64_t until_ms = total_ms * step / kSteps;
      if (!context.sleep(Millis{until_ms - slept_ms})) return false;
      slept_ms = until_ms;
      context.progress(static_cast<double>(100 * step / kSteps));
    }
    return true;
  }
};

}  // namespace

tl::expected<void, Error> add_builtin_handlers(HandlerRegistry& registry) {
  auto added = registry.add({"noop", TASKPIPE_VERSION, "Does nothing, as fast as possible"},
                            std::make_unique<Noop>());
  if (!added) return added;
  return registry.add(
      {"echo", TASKPIPE_VERSION,
       "Returns its params; sleep_ms makes it wait first, fail makes it fail with that reason"},
      std::make_unique<Echo>());
}

}  // namespace taskpipe::worker
