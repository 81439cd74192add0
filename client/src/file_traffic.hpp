// Files between this host and the broker's store, for the methods of Client: on the calling thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "client/src/client_impl.hpp"
#include "common/bulk/bulk_peer.hpp"
#include "common/net/socket.hpp"
#include "taskpipe/client.hpp"

namespace taskpipe::client {

class FileTraffic {
 public:
  FileTraffic(Client::Impl& impl, const CallOptions& options);

  using OnProgress = std::function<void(std::size_t, std::uint64_t)>;
  [[nodiscard]] std::vector<CallResult<void>> put(std::vector<bulk::UploadFile> files,
                                                  const OnProgress& on_progress);
  [[nodiscard]] CallResult<void> get(bulk::DownloadFile file, const OnProgress& on_progress);

 private:
  [[nodiscard]] std::optional<bulk::Access> access();
  [[nodiscard]] bulk::Patience patience(const OnProgress& on_progress);
  [[nodiscard]] CallResult<void> to_call_result(bulk::BulkPeer::Result&& result) const;

  Client::Impl& impl_;
  const CallOptions& options_;
  std::optional<ClientError> no_session_;  // for good
  net::Context context_;
  bulk::BulkPeer peer_;
};

// Every input file of some requests: hashed and uploaded once, however many tasks need it.
class InputUploads {
 public:
  // Nothing happens when none of `requests` has any.
  InputUploads(Client::Impl& impl, const std::vector<const TaskRequest*>& requests,
               const CallOptions& options, const Client::FileProgress& on_progress = {});

  // `request` as it can be submitted, or why a file of it could not be uploaded.
  [[nodiscard]] CallResult<TaskRequest> resolve(const TaskRequest& request) const;
  [[nodiscard]] CallResult<TaskInput> input_of(const InputFile& file) const;

 private:
  struct Known {
    TaskInput input;
    std::optional<ClientError> error;
  };
  void look_at(const InputFile& file);

  std::map<std::string, Known> files_;  // by path
};

}  // namespace taskpipe::client
