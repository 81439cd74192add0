// A copy of a journal that a broker goes on writing. Changes nothing in the original, and needs
// nothing of the broker.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <tl/expected.hpp>

#include "broker/journal/chain_reader.hpp"
#include "broker/journal/disk.hpp"
#include "common/model/error.hpp"

namespace taskpipe::broker {

// Called when it is known which segments there are, before any of them is read: what another store
// holds at this moment and the copied journal together are complete. What the journal has let go of
// before, that store had; what it lets go of later is noticed, and all is done again. Returns the
// record up to which the copy must reach at least.
using MomentCallback = std::function<Lsn()>;

// Copies the journal of the data folder `from` into the data folder `to`, which exists and holds no
// journal. Everything that was written when this was called is in the copy, which ends with a whole
// batch. `at_moment` is called once per attempt. On return the copy is on the medium.
// Errors: as read_chain; BUSY when the broker recycles segments faster than they can be copied.
[[nodiscard]] tl::expected<RecoveryReport, Error> copy_journal(Disk& disk, const std::string& from,
                                                               const std::string& to,
                                                               const MomentCallback& at_moment);

}  // namespace taskpipe::broker
