#include "client/src/file_traffic.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <variant>

#include "client/src/call_errors.hpp"
#include "common/process/file.hpp"
#include "common/process/sha256.hpp"

namespace taskpipe::client {
namespace {

constexpr Millis kSessionWait{1000};

ClientError unreadable(const std::string& path, const std::string& why) {
  return refused(
      Error{ErrorCode::invalid, "input file '" + path + "' cannot be read: " + why, "input_files"});
}

}  // namespace

FileTraffic::FileTraffic(Client::Impl& impl, const CallOptions& options)
    : impl_(impl), options_(options), peer_(context_, [this] { return access(); }) {}

// The session of the client's own connection; waits for it a little.
std::optional<bulk::Access> FileTraffic::access() {
  std::optional<bulk::Access> found;
  const auto on_delivery = [&](CallId, Delivery&& what) {
    if (const auto* connected = std::get_if<delivery::Connected>(&what)) {
      const Welcome& welcome = connected->welcome;
      found = bulk::Access{impl_.bulk_endpoint(welcome.bulk_endpoint), welcome.session,
                           welcome.bulk_token, impl_.curve()};
    }
    return true;
  };
  auto done = impl_.run(command::Connect{}, kSessionWait, options_, on_delivery);
  if (!done && done.error().failure != CallFailure::timed_out) {
    no_session_ = std::move(done.error());
  } else if (found && found->endpoint.empty()) {
    no_session_ =
        refused(Error{ErrorCode::unsupported,
                      "this broker offers no bulk port, so that no artifacts and inputs can be "
                      "transferred: either it serves reads only (see 'taskpipe health'), "
                      "or it is too old and wants an update",
                      {}});
  }
  return found;
}

bulk::Patience FileTraffic::patience(const OnProgress& on_progress) {
  bulk::Patience patience;
  patience.without_progress = impl_.options().request_timeout;
  patience.in_all = options_.timeout;
  patience.on_progress = on_progress;
  patience.keep_going = [this] {
    if (no_session_ || options_.stop.stop_requested()) return false;
    return !options_.keep_waiting || options_.keep_waiting();
  };
  return patience;
}

CallResult<void> FileTraffic::to_call_result(bulk::BulkPeer::Result&& result) const {
  if (result) return {};
  Error& error = result.error();
  if (error.code == ErrorCode::shutting_down) {
    return tl::unexpected(no_session_ ? *no_session_ : stopped());
  }
  if (error.code == ErrorCode::busy || error.code == ErrorCode::flow) {
    error.code = ErrorCode::ok;
    return tl::unexpected(ClientError{CallFailure::timed_out, std::move(error), {}});
  }
  return tl::unexpected(refused(std::move(error)));
}

std::vector<CallResult<void>> FileTraffic::put(std::vector<bulk::UploadFile> files,
                                               const OnProgress& on_progress) {
  std::vector<CallResult<void>> results;
  for (auto& result : peer_.put(std::move(files), patience(on_progress))) {
    results.push_back(to_call_result(std::move(result)));
  }
  return results;
}

CallResult<void> FileTraffic::get(bulk::DownloadFile file, const OnProgress& on_progress) {
  std::vector<bulk::DownloadFile> files;
  files.push_back(std::move(file));
  return to_call_result(std::move(peer_.get(std::move(files), patience(on_progress)).front()));
}

// --- Inputs -------------------------------------------------------------------------------------

InputUploads::InputUploads(Client::Impl& impl, const std::vector<const TaskRequest*>& requests,
                           const CallOptions& options, const Client::FileProgress& on_progress) {
  for (const TaskRequest* request : requests) {
    for (const InputFile& file : request->input_files) look_at(file);
  }
  std::vector<bulk::UploadFile> uploads;
  std::vector<Known*> uploaded;
  for (auto& [path, known] : files_) {
    if (known.error || known.input.size_bytes == 0) continue;
    // Links are for their owner to follow; an upload takes none.
    std::error_code error;
    const std::string real = std::filesystem::canonical(path, error).string();
    uploads.push_back({error ? path : real, known.input.sha256, known.input.size_bytes});
    uploaded.push_back(&known);
  }
  if (uploads.empty()) return;
  FileTraffic traffic(impl, options);
  const auto tell = [&](std::size_t index, std::uint64_t done) {
    const TaskInput& input = uploaded[index]->input;
    if (on_progress) on_progress({input.name, done, input.size_bytes});
  };
  const auto results = traffic.put(std::move(uploads), tell);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!results[i]) uploaded[i]->error = results[i].error();
  }
}

void InputUploads::look_at(const InputFile& file) {
  const auto [place, fresh] = files_.try_emplace(file.path);
  if (!fresh) return;
  Known& known = place->second;
  known.input.name = std::filesystem::path(file.path).filename().string();
  const auto opened = process::File::open(file.path, O_RDONLY);
  if (!opened) {
    known.error = unreadable(file.path, std::generic_category().message(opened.error()));
    return;
  }
  struct stat status {};
  if (::fstat(opened->fd(), &status) != 0 || !S_ISREG(status.st_mode)) {
    known.error = unreadable(file.path, "it is no regular file");
    return;
  }
  known.input.executable = (status.st_mode & S_IXUSR) != 0;
  process::Sha256 hash;
  std::vector<std::byte> buffer(limits::kBulkChunkBytes);
  while (true) {
    const auto got = opened->read_at(known.input.size_bytes, buffer);
    if (!got) {
      known.error = unreadable(file.path, std::generic_category().message(got.error()));
      return;
    }
    hash.update(std::span(buffer).first(*got));
    known.input.size_bytes += *got;
    if (*got < buffer.size()) break;
  }
  known.input.sha256 = hash.finish_hex();
}

CallResult<TaskInput> InputUploads::input_of(const InputFile& file) const {
  const Known& known = files_.at(file.path);
  if (known.error) return tl::unexpected(*known.error);
  TaskInput input = known.input;
  if (!file.name.empty()) input.name = file.name;
  input.executable = input.executable || file.executable;
  return input;
}

CallResult<TaskRequest> InputUploads::resolve(const TaskRequest& request) const {
  TaskRequest resolved = request;
  for (const InputFile& file : request.input_files) {
    auto input = input_of(file);
    if (!input) return tl::unexpected(std::move(input.error()));
    resolved.inputs.push_back(std::move(*input));
  }
  resolved.input_files.clear();
  return resolved;
}

}  // namespace taskpipe::client
