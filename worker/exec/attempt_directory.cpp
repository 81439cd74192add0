#include "worker/exec/attempt_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "common/model/task.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

Error storage_error(const std::string& what, const std::string& path, int error) {
  std::string text = "cannot " + what + " '" + path + "': ";
  text += std::generic_category().message(error);
  switch (error) {
    case ENOSPC:
    case EDQUOT: text += ": free space in the worker's attempts folder"; break;
    case EMFILE:
    case ENFILE: text += ": raise the worker's limit of open files (RLIMIT_NOFILE)"; break;
    default: text += ": is the worker's attempts folder a writable directory?"; break;
  }
  return {ErrorCode::storage, std::move(text), ""};
}

Error invalid_name(const std::string& name, const char* why) {
  return {ErrorCode::invalid, "file name '" + name + "' " + why, "files"};
}

// Where a file of that name goes; its folder is there then.
tl::expected<std::string, Error> place_for(const std::string& directory, const std::string& name) {
  if (!is_plain_relative_path(name)) {
    return tl::unexpected(
        invalid_name(name, "must be a relative path without empty, '.' or '..' parts"));
  }
  if (name == kStdoutFile || name == kStderrFile) {
    return tl::unexpected(invalid_name(name, "is reserved for the attempt's own log"));
  }
  std::string path = directory + "/" + name;
  if (const std::size_t slash = name.rfind('/'); slash != std::string::npos) {
    std::error_code error;
    fs::create_directories(directory + "/" + name.substr(0, slash), error);
    if (error) return tl::unexpected(storage_error("create the folder of", path, error.value()));
  }
  return path;
}

tl::expected<void, Error> write_file(const std::string& directory, const RunPlan::File& file) {
  const auto path = place_for(directory, file.name);
  if (!path) return tl::unexpected(path.error());
  const Descriptor out(::open(path->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                              file.executable ? 0755 : 0644));
  if (!out.valid() && errno == EEXIST) {
    return tl::unexpected(invalid_name(file.name, "is given twice"));
  }
  if (!out.valid()) return tl::unexpected(storage_error("create", *path, errno));
  std::string_view rest = file.content.text();
  while (!rest.empty()) {
    const ssize_t written = ::write(out.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return tl::unexpected(storage_error("write", *path, errno));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

tl::expected<void, Error> move_input(const std::string& directory, const RunPlan::Input& input) {
  const auto path = place_for(directory, input.name);
  if (!path) return tl::unexpected(path.error());
  if (::access(path->c_str(), F_OK) == 0) {
    return tl::unexpected(invalid_name(input.name, "is given twice"));
  }
  if (::rename(input.source.c_str(), path->c_str()) != 0) {
    return tl::unexpected(storage_error("create", *path, errno));
  }
  return {};
}

// Gives a folder that only this process can reach, and what is in it, to the user; itself last.
tl::expected<void, Error> give_to(const Credentials& user, const std::string& directory) {
  const auto give = [&](const std::string& path) {
    return ::lchown(path.c_str(), user.uid, user.gid) == 0 ? 0 : errno;
  };
  int failed = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (failed == 0) failed = give(it->path().string());
  }
  if (failed == 0) failed = error.value();
  if (failed == 0) failed = give(directory);
  if (failed == 0) return {};
  return tl::unexpected(storage_error("give to the user of --run-as", directory, failed));
}

// To be passed through, not to be looked into: what runs for others is nobody's business. It may
// have been there, and must not be another's, who could exchange the attempt for something else.
tl::expected<void, Error> close_task_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!folder.valid() || ::fstat(folder.get(), &status) != 0) {
    return tl::unexpected(storage_error("open", path, errno));
  }
  if (status.st_uid != ::geteuid()) {
    return tl::unexpected(Error{ErrorCode::storage,
                                "'" + path + "' belongs to the user with the number " +
                                    std::to_string(status.st_uid) + ": remove it",
                                ""});
  }
  if (::fchmod(folder.get(), 0711) != 0) {
    return tl::unexpected(storage_error("set the mode of", path, errno));
  }
  return {};
}

std::string leaf_name(const AttemptKey& attempt) {
  return std::to_string(attempt.epoch.value()) + "-" + std::to_string(attempt.attempt.value());
}

}  // namespace

tl::expected<AttemptDirectory, Error> AttemptDirectory::create(
    const std::string& root, const AttemptKey& attempt, const std::vector<RunPlan::File>& files,
    const std::vector<RunPlan::Input>& inputs, const Credentials* run_as) {
  if (files.size() > limits::kMaxPlanFiles) {
    return tl::unexpected(Error{ErrorCode::too_big,
                                "a plan may hold " + std::to_string(limits::kMaxPlanFiles) +
                                    " files, this one has " + std::to_string(files.size()),
                                "files"});
  }
  const std::string task_folder = root + "/" + attempt.task.to_string();
  std::error_code error;
  fs::create_directories(task_folder, error);
  if (error) return tl::unexpected(storage_error("create", task_folder, error.value()));
  if (run_as != nullptr) {
    if (auto closed = close_task_folder(task_folder); !closed) {
      return tl::unexpected(std::move(closed.error()));
    }
  }
  const mode_t mode = run_as != nullptr ? 0700 : 0755;

  std::string path = task_folder + "/" + leaf_name(attempt);
  auto use = FolderInUse::claim(path);
  if (!use) {
    return tl::unexpected(Error{ErrorCode::storage, "'" + path + "' is in use already", ""});
  }
  AttemptDirectory made(std::move(path), std::move(*use));
  if (::mkdir(made.path_.c_str(), mode) != 0) {
    // Left by an earlier worker that died while running the same dispatch.
    if (errno == EEXIST) fs::remove_all(made.path_, error);
    if (::mkdir(made.path_.c_str(), mode) != 0) {
      return tl::unexpected(storage_error("create", made.path_, errno));
    }
  }
  for (const RunPlan::File& file : files) {
    if (auto written = write_file(made.path_, file); !written) {
      return tl::unexpected(std::move(written.error()));
    }
  }
  for (const RunPlan::Input& input : inputs) {
    if (auto moved = move_input(made.path_, input); !moved) {
      return tl::unexpected(std::move(moved.error()));
    }
  }
  if (run_as != nullptr) {
    if (auto given = give_to(*run_as, made.path_); !given) {
      return tl::unexpected(std::move(given.error()));
    }
    made.owner_ = run_as->uid;
  }
  return made;
}

}  // namespace taskpipe::worker
