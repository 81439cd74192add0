#include "common/bulk/artifact_files.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "common/model/task.hpp"

namespace taskpipe::bulk {
namespace {

namespace fs = std::filesystem;

bool fits(const Artifact& artifact, const std::string& pattern) {
  return artifact.name == pattern || ::fnmatch(pattern.c_str(), artifact.name.c_str(), 0) == 0;
}

Error leaves_folder(const std::string& name) {
  return {
      ErrorCode::invalid,
      "artifact '" + name + "' is not fetched: its name would leave the folder, or is no file name",
      "name"};
}

}  // namespace

std::vector<const Artifact*> matching(const std::vector<Artifact>& artifacts,
                                      const std::vector<std::string>& patterns,
                                      std::vector<std::string>& unmatched) {
  for (const std::string& pattern : patterns) {
    const bool found = std::any_of(artifacts.begin(), artifacts.end(),
                                   [&](const Artifact& a) { return fits(a, pattern); });
    if (!found) unmatched.push_back(pattern);
  }
  std::vector<const Artifact*> in_order;
  for (const Artifact& artifact : artifacts) {
    const bool wanted = patterns.empty() ||
                        std::any_of(patterns.begin(), patterns.end(),
                                    [&](const auto& pattern) { return fits(artifact, pattern); });
    if (wanted) in_order.push_back(&artifact);
  }
  return in_order;
}

tl::expected<std::string, Error> place_below(const std::string& folder, const std::string& name) {
  if (!is_plain_relative_path(name)) return tl::unexpected(leaves_folder(name));
  fs::path place = fs::path(folder);
  std::error_code error;
  const fs::path relative(name);
  fs::create_directories(place, error);
  for (const fs::path& part : relative.parent_path()) {
    place /= part;
    // A link among its folders could lead out.
    if (fs::is_symlink(fs::symlink_status(place, error))) {
      return tl::unexpected(leaves_folder(name));
    }
    fs::create_directory(place, error);
  }
  if (error) {
    return tl::unexpected(Error{ErrorCode::storage,
                                "cannot make '" + place.string() + "': " + error.message(), "to"});
  }
  return (place / relative.filename()).string();
}

}  // namespace taskpipe::bulk
