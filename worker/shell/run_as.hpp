// As whom tools run when the worker is root: --run-as USER[:GROUP].
#pragma once

#include <filesystem>
#include <string>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "worker/spawner/credentials.hpp"
#include "worker/tools/program.hpp"

namespace taskpipe::worker {

struct RunAs {
  Credentials credentials;
  std::string name;  // the user's, or its number where no account has that number
  std::string home;  // the account's, which need not exist
};

// Names or numbers, looked up in the system's data base. A user without an account needs a group.
// INVALID naming "run-as" and the remedy: unknown user or group, and whatever is root.
[[nodiscard]] tl::expected<RunAs, Error> find_run_as(const std::string& text);

// Makes the worker's folder fit: the user passes through it to the attempts, and sees nothing else
// of it. A home that does not exist, or is somebody else's, becomes `work_dir`/home. By root, after
// the folder was claimed, and before that made by make_own_folder. INVALID when the user cannot get
// there, naming the folder that stops it, and when he could have put something into the folders.
[[nodiscard]] tl::expected<void, Error> prepare_work_dir(RunAs& run_as,
                                                         const std::filesystem::path& work_dir);

// What programs learn of their user: HOME, USER, LOGNAME.
[[nodiscard]] Environment environment_of(const RunAs& run_as);

}  // namespace taskpipe::worker
