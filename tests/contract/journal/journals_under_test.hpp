// The implementations of Journal that the contract suite runs on.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "broker/journal/journal.hpp"
#include "broker/journal/segment_log_options.hpp"
#include "common/model/error.hpp"

namespace taskpipe::testing {

// One journal folder and the journal that is open on it.
class JournalUnderTest {
 public:
  struct Replayed {
    Lsn lsn;
    broker::Record record;
  };

  virtual ~JournalUnderTest() = default;

  // Opens the folder (again); `replayed` is replaced. The journal before must be closed.
  [[nodiscard]] virtual tl::expected<void, Error> open() = 0;
  // In an orderly way.
  virtual void close() = 0;
  [[nodiscard]] virtual broker::Journal& journal() = 0;
  // Until everything asked for so far has been done, or the journal has failed.
  virtual void settle() = 0;
  [[nodiscard]] virtual std::optional<Error> failure() = 0;
  // A second journal on the same folder, while the first is open.
  [[nodiscard]] virtual tl::expected<void, Error> open_second() = 0;

  std::vector<Replayed> replayed;
  broker::SegmentLogOptions options;  // small segments; may be changed before `open`
};

struct JournalKind {
  std::string name;
  std::function<std::unique_ptr<JournalUnderTest>()> make;
};
[[nodiscard]] std::vector<JournalKind> journal_kinds();

}  // namespace taskpipe::testing
