// Correlations say what kind of request a reply belongs to, so that no table of all requests is
// needed to route it: the kind sits in the low bits of a counter.
#pragma once

#include <cstdint>

#include "common/model/ids.hpp"

namespace taskpipe::client {

enum class RequestKind : std::uint8_t { session = 0, submit, workflow, wait, ask, log, watch };

class CorrelationSource {
 public:
  // Never 0, never the same twice.
  Correlation next(RequestKind kind) {
    ++last_;
    return Correlation{(last_ << kKindBits) | static_cast<std::uint64_t>(kind)};
  }

  // Of a correlation that came back; anything unknown counts as `session`.
  [[nodiscard]] static RequestKind kind_of(Correlation correlation) {
    const std::uint64_t kind = correlation.value() & ((1U << kKindBits) - 1);
    return kind <= static_cast<std::uint64_t>(RequestKind::watch) ? static_cast<RequestKind>(kind)
                                                                  : RequestKind::session;
  }

 private:
  static constexpr unsigned kKindBits = 3;
  std::uint64_t last_ = 0;
};

}  // namespace taskpipe::client
