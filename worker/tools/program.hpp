// Finding programs, and asking one a short question.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "common/model/time.hpp"
#include "worker/spawner/credentials.hpp"

namespace taskpipe::worker {

using Environment = std::map<std::string, std::string, std::less<>>;

// Of a worker that has no PATH.
inline constexpr std::string_view kSystemPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Where `name` would be run from: as it is when it has a slash, else the first executable file in
// the folders of `search_path` (colon-separated; empty entries are skipped).
[[nodiscard]] std::optional<std::filesystem::path> find_program(std::string_view name,
                                                                std::string_view search_path);

struct ProgramAnswer {
  int exit_code = 0;
  std::string output;  // stdout and stderr as they came, at most limits::kMaxProbeOutputBytes
};

// Runs argv[0] (an absolute path) with exactly `environment`, no input and no shell, in a process
// group of its own, and returns once it has ended. What it left running in its group is killed.
// The error is a sentence: cannot be started, killed by a signal, or not done within `timeout`
// (then it is killed). Blocks the caller; any thread. `user`: as whom it runs, by root; null: as
// who the caller is.
[[nodiscard]] tl::expected<ProgramAnswer, std::string> ask_program(
    const std::vector<std::string>& argv, const Environment& environment, Millis timeout,
    const Credentials* user = nullptr);

}  // namespace taskpipe::worker
