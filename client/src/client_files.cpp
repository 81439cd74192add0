// Client: the files that tasks leave, and those that they need.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include "client/src/call_errors.hpp"
#include "client/src/client_impl.hpp"
#include "client/src/file_traffic.hpp"
#include "common/bulk/artifact_files.hpp"
#include "common/process/file.hpp"
#include "common/process/sha256.hpp"

namespace taskpipe {
namespace {

ClientError disk_error(const std::string& what, const std::string& path, int error) {
  return client::refused(Error{
      ErrorCode::storage,
      "cannot " + what + " '" + path + "': " + std::generic_category().message(error), "path"});
}

// Under another name first, so that `path` is always whole.
CallResult<void> write_whole(const std::string& path, std::string_view content) {
  const std::string part = path + ".part";
  {
    const auto out = process::File::open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (!out) return tl::unexpected(disk_error("write", part, out.error()));
    if (const int error = out->write_at(0, std::as_bytes(std::span(content)))) {
      return tl::unexpected(disk_error("write", part, error));
    }
  }
  if (std::rename(part.c_str(), path.c_str()) != 0) {
    return tl::unexpected(disk_error("write", path, errno));
  }
  return {};
}

CallResult<void> copy_shared(const Artifact& artifact, const std::string& path,
                             const Client::FileProgress& on_progress) {
  const auto changed = [&](const std::string& why) {
    return tl::unexpected(client::refused(
        Error{ErrorCode::unsupported, "'" + artifact.path + "' on the shared file system " + why,
              "artifact"}));
  };
  const auto in = process::File::open(artifact.path, O_RDONLY);
  if (!in) {
    return changed("cannot be read here: " + std::generic_category().message(in.error()) +
                   "; mount the worker's --shared-dir under the same path");
  }
  const std::string part = path + ".part";
  const auto out = process::File::open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  if (!out) return tl::unexpected(disk_error("write", part, out.error()));
  process::Sha256 hash;
  std::vector<std::byte> buffer(limits::kBulkChunkBytes);
  std::uint64_t done = 0;
  while (true) {
    const auto got = in->read_at(done, buffer);
    if (!got) return changed("cannot be read: " + std::generic_category().message(got.error()));
    if (*got == 0) break;
    const auto piece = std::span(buffer).first(*got);
    hash.update(piece);
    if (const int error = out->write_at(done, piece)) {
      return tl::unexpected(disk_error("write", part, error));
    }
    done += *got;
    if (on_progress) on_progress({artifact.name, done, artifact.size_bytes});
  }
  const bool same_hash = artifact.sha256.empty() || hash.finish_hex() == artifact.sha256;
  if (done != artifact.size_bytes || !same_hash) {
    ::unlink(part.c_str());
    return changed("is not what the task left: it has been changed");
  }
  if (std::rename(part.c_str(), path.c_str()) != 0) {
    return tl::unexpected(disk_error("write", path, errno));
  }
  return {};
}

// The report has the whole of a short log.
const std::string* text_in_report(const RunReport& report, const Artifact& artifact) {
  const std::string* text = nullptr;
  if (artifact.name == "stdout.log") text = &report.stdout_tail;
  if (artifact.name == "stderr.log") text = &report.stderr_tail;
  if (text == nullptr || text->size() != artifact.size_bytes) return nullptr;
  return process::sha256_hex(*text) == artifact.sha256 ? text : nullptr;
}

}  // namespace

CallResult<std::vector<Artifact>> Client::artifacts(const TaskId& id, const CallOptions& options) {
  auto result = wait(id, options);
  if (!result) return tl::unexpected(std::move(result.error()));
  return std::move(result->report.artifacts);
}

CallResult<void> Client::fetch_artifact(const TaskResult& result, const Artifact& artifact,
                                        const std::string& path, const FileProgress& on_progress,
                                        const CallOptions& options) {
  if (artifact.size_bytes == 0) return write_whole(path, "");
  if (const std::string* text = text_in_report(result.report, artifact)) {
    return write_whole(path, *text);
  }
  if (artifact.shared) return copy_shared(artifact, path, on_progress);
  if (!artifact.stored || !is_sha256_hex(artifact.sha256)) {
    return tl::unexpected(client::refused(
        Error{ErrorCode::unsupported,
              "artifact '" + artifact.name + "' is only on node " + result.report.node + ", at " +
                  artifact.path + (artifact.problem.empty() ? "" : ": " + artifact.problem),
              "artifact"}));
  }
  client::FileTraffic traffic(*impl_, options);
  auto got = traffic.get({artifact.sha256, artifact.size_bytes, path, false},
                         [&](std::size_t, std::uint64_t done) {
                           if (on_progress) on_progress({artifact.name, done, artifact.size_bytes});
                         });
  // The broker knows files by their hash; whoever asked has a name in mind.
  if (!got) got.error().error.text = "artifact '" + artifact.name + "': " + got.error().error.text;
  return got;
}

CallResult<Artifact> Client::fetch_artifact(const TaskId& id, const std::string& name,
                                            const std::string& path,
                                            const FileProgress& on_progress,
                                            const CallOptions& options) {
  auto result = wait(id, options);
  if (!result) return tl::unexpected(std::move(result.error()));
  const auto& all = result->report.artifacts;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Artifact& a) { return a.name == name; });
  if (found == all.end()) {
    return tl::unexpected(client::refused(
        Error{ErrorCode::invalid, "the task left no artifact '" + name + "'", "name"}));
  }
  auto fetched = fetch_artifact(*result, *found, path, on_progress, options);
  if (!fetched) return tl::unexpected(std::move(fetched.error()));
  return *found;
}

CallResult<std::vector<std::string>> Client::get_artifacts(const TaskId& id,
                                                           const std::string& folder,
                                                           const std::vector<std::string>& patterns,
                                                           const FileProgress& on_progress,
                                                           const CallOptions& options) {
  const auto began = std::chrono::steady_clock::now();
  auto result = wait(id, options);
  if (!result) return tl::unexpected(std::move(result.error()));
  std::vector<std::string> unmatched;
  const auto wanted = bulk::matching(result->report.artifacts, patterns, unmatched);
  if (!unmatched.empty()) {
    return tl::unexpected(client::refused(Error{
        ErrorCode::invalid, "the task left no artifact '" + unmatched.front() + "'", "name"}));
  }
  std::vector<std::string> paths;
  for (const Artifact* artifact : wanted) {
    if (options.stop.stop_requested()) return tl::unexpected(client::stopped());
    auto place = bulk::place_below(folder, artifact->name);
    if (!place) return tl::unexpected(client::refused(std::move(place.error())));
    CallOptions rest = options;
    if (rest.timeout) {
      const auto spent = std::chrono::ceil<Millis>(std::chrono::steady_clock::now() - began);
      rest.timeout = std::max(*rest.timeout - spent, Millis(0));
      if (*rest.timeout == Millis(0)) {
        return tl::unexpected(client::timed_out("fetching the artifacts", *options.timeout));
      }
    }
    auto fetched = fetch_artifact(*result, *artifact, *place, on_progress, rest);
    if (!fetched) return tl::unexpected(std::move(fetched.error()));
    paths.push_back(std::move(*place));
  }
  return paths;
}

CallResult<std::vector<TaskInput>> Client::upload(std::span<const InputFile> files,
                                                  const FileProgress& on_progress,
                                                  const CallOptions& options) {
  TaskRequest all;
  all.input_files.assign(files.begin(), files.end());
  const client::InputUploads uploads(*impl_, {&all}, options, on_progress);
  auto resolved = uploads.resolve(all);
  if (!resolved) return tl::unexpected(std::move(resolved.error()));
  return std::move(resolved->inputs);
}

}  // namespace taskpipe
