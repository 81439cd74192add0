// Which of a task's files are wanted, and where they go. Their names were chosen by a worker.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/run_report.hpp"

namespace taskpipe::bulk {

// In their own order: those that have one of these names, or fit one of these patterns ("*.dump",
// as fnmatch; a star goes through slashes). Without patterns all. `unmatched` gets the patterns
// that none fits.
[[nodiscard]] std::vector<const Artifact*> matching(const std::vector<Artifact>& artifacts,
                                                    const std::vector<std::string>& patterns,
                                                    std::vector<std::string>& unmatched);

// The file's path below `folder`; the folders on the way are there then. INVALID, "name": it would
// leave the folder, also through a link, or is no file name.
[[nodiscard]] tl::expected<std::string, Error> place_below(const std::string& folder,
                                                           const std::string& name);

}  // namespace taskpipe::bulk
