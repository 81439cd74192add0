#include "common/bulk/upload.hpp"

#include <fcntl.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::bulk {
namespace {

Error unreadable(const std::string& path, const std::string& why) {
  return {ErrorCode::invalid, "cannot read '" + path + "': " + why, "path"};
}

}  // namespace

Put Upload::begin() {
  asked_ = true;
  credit_ = 0;
  return Put{file_.sha256, file_.size_bytes};
}

void Upload::on_state(const PutState& state) {
  if (state.have) {
    done_ = true;
    taken_ = file_.size_bytes;
    open_ = process::File();
    return;
  }
  if (std::exchange(asked_, false)) {
    next_ = std::min(state.offset, file_.size_bytes);
    resumed_ = resumed_ || next_ > 0;
  }
  credit_ = std::max(credit_, state.credit);
  taken_ = std::max(state.offset, taken_);
}

tl::expected<std::optional<PutData>, Error> Upload::next() {
  if (done_ || asked_) return std::nullopt;
  const std::uint64_t end = std::min(credit_, file_.size_bytes);
  if (next_ >= end) return std::nullopt;
  if (!open_.valid()) {
    auto opened =
        file_.open ? file_.open() : process::File::open(file_.path, O_RDONLY | O_NOFOLLOW);
    if (!opened) {
      return tl::unexpected(
          unreadable(file_.path, std::generic_category().message(opened.error())));
    }
    open_ = std::move(*opened);
  }
  std::string piece(std::min<std::uint64_t>(end - next_, limits::kBulkChunkBytes), '\0');
  const auto got = open_.read_at(next_, std::as_writable_bytes(std::span(piece)));
  if (!got) {
    return tl::unexpected(unreadable(file_.path, std::generic_category().message(got.error())));
  }
  if (*got < piece.size()) {
    return tl::unexpected(unreadable(file_.path, "it has become shorter meanwhile"));
  }
  PutData data{next_, Payload(std::string_view(piece))};
  next_ += piece.size();
  sent_total_ += piece.size();
  return data;
}

bool Upload::may_start_over() {
  taken_ = 0;
  return std::exchange(resumed_, false);
}

}  // namespace taskpipe::bulk
