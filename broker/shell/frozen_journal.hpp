// The journal of a broker that cannot write: everything it holds is durable, nothing is added.
#pragma once

#include <cassert>
#include <span>

#include "broker/journal/journal.hpp"

namespace taskpipe::broker {

class FrozenJournal final : public Journal {
 public:
  explicit FrozenJournal(Lsn last) : last_(last) {}

  // A core that was started read-only makes no records.
  void append(Epoch /*epoch*/, Lsn /*first_lsn*/, std::span<const Record> records) override {
    assert(records.empty());
  }
  [[nodiscard]] Lsn appended() const override { return last_; }
  [[nodiscard]] Lsn durable() const override { return last_; }
  [[nodiscard]] Lsn synced() const override { return last_; }
  [[nodiscard]] JournalUsage usage() const override { return {}; }
  void release_before(Lsn /*lsn*/) override {}

 private:
  Lsn last_;
};

}  // namespace taskpipe::broker
