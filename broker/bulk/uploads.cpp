#include "broker/bulk/uploads.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/model/limits.hpp"

namespace taskpipe::broker {

void Uploads::put(const TransferRef& from, const Put& put) {
  auto upload = open_.find(put.sha256);
  if (upload == open_.end()) {
    upload = open_.emplace(put.sha256, Upload{}).first;
    upload->second.size_bytes = put.size_bytes;
    upload->second.bringers.push_back(from);
    return begin(upload, false);
  }
  if (upload->second.size_bytes != put.size_bytes) {
    return tell_(from,
                 ErrorReply{{ErrorCode::invalid,
                             "the same hash is being uploaded with another size", "size_bytes"}},
                 true);
  }
  upload->second.bringers.push_back(from);
}

void Uploads::set_phase(Upload& upload, Phase phase) {
  if (upload.phase == Phase::receiving) --active_;
  if (upload.phase == Phase::room) --waiting_for_room_;
  upload.phase = phase;
  if (upload.phase == Phase::receiving) ++active_;
  if (upload.phase == Phase::room) ++waiting_for_room_;
}

void Uploads::begin(Open::iterator upload, bool last_try) {
  Upload& u = upload->second;
  set_phase(u, Phase::queued);
  auto begun = store_.begin_put(upload->first, u.size_bytes, last_try);
  if (!begun) return end(upload, ErrorReply{std::move(begun.error())});
  u.written = begun->offset;
  switch (begun->what) {
    case BlobAccess::Begin::have: return end(upload, PutState{true, u.size_bytes, u.size_bytes});
    case BlobAccess::Begin::no_room: return set_phase(u, Phase::room);
    case BlobAccess::Begin::verifying: return set_phase(u, Phase::verifying);
    case BlobAccess::Begin::receive: return receive(upload);
  }
}

void Uploads::receive(Open::iterator upload) {
  Upload& u = upload->second;
  if (u.written == u.size_bytes) return finish(upload);
  if (active_ >= limits::kMaxActivePuts) {
    set_phase(u, Phase::queued);
    queue_.push_back(upload->first);
    return;
  }
  set_phase(u, Phase::receiving);
  grant(u);
}

void Uploads::grant(Upload& u) {
  u.credit = std::min(u.written + limits::kBulkWindowBytes, u.size_bytes);
  tell_(u.bringers.front(), PutState{false, u.written, u.credit}, false);
}

bool Uploads::on_data(const TransferRef& from, const std::string& sha256, const PutData& data) {
  const auto upload = open_.find(sha256);
  if (upload == open_.end() || upload->second.bringers.empty()) return true;
  if (upload->second.bringers.front() != from) return false;
  Upload& u = upload->second;
  const auto bytes = data.data.bytes();
  if (u.phase != Phase::receiving || data.offset != u.written || bytes.empty() ||
      bytes.size() > u.credit - u.written) {
    return false;
  }
  if (auto appended = store_.append(sha256, bytes); !appended) {
    // The disk's fault: the others would fare no better.
    end(upload, ErrorReply{std::move(appended.error())});
    admit_queued();
    return true;
  }
  u.written += bytes.size();
  if (u.written == u.size_bytes) {
    finish(upload);
  } else if (u.credit - u.written <= limits::kBulkWindowBytes / 2) {
    grant(u);
  }
  return true;
}

void Uploads::finish(Open::iterator upload) {
  const auto completed = store_.complete(upload->first);
  if (completed) {
    set_phase(upload->second, Phase::storing);
  } else {
    fail_first(upload, completed.error());
  }
  admit_queued();
}

void Uploads::fail_first(Open::iterator upload, const Error& error) {
  Upload& u = upload->second;
  const TransferRef first = u.bringers.front();
  u.bringers.pop_front();
  tell_(first, ErrorReply{error}, true);
  if (u.bringers.empty()) {
    set_phase(u, Phase::queued);
    open_.erase(upload);
  } else {
    begin(upload, false);
  }
}

void Uploads::end(Open::iterator upload, const Message& message) {
  set_phase(upload->second, Phase::queued);
  const auto bringers = std::move(upload->second.bringers);
  open_.erase(upload);
  for (const TransferRef& bringer : bringers) tell_(bringer, message, true);
}

void Uploads::leave(const TransferRef& from, const std::string& sha256) {
  const auto upload = open_.find(sha256);
  if (upload == open_.end()) return;
  Upload& u = upload->second;
  if (u.bringers.empty()) return;
  const bool was_first = u.bringers.front() == from;
  std::erase(u.bringers, from);
  if (!was_first && !u.bringers.empty()) return;
  if (u.phase == Phase::storing) {
    // It is all there: who else waits for it learns so, and so does the next who asks.
    if (!u.bringers.empty()) return;
  } else {
    store_.leave(sha256);
  }
  if (u.bringers.empty()) {
    set_phase(u, Phase::queued);
    open_.erase(upload);
  } else {
    begin(upload, false);
  }
  admit_queued();
}

void Uploads::admit_queued() {
  while (active_ < limits::kMaxActivePuts && !queue_.empty()) {
    const auto upload = open_.find(queue_.front());
    queue_.pop_front();
    if (upload != open_.end() && upload->second.phase == Phase::queued) receive(upload);
  }
}

void Uploads::on_verified(const std::string& sha256) {
  const auto upload = open_.find(sha256);
  if (upload != open_.end() && upload->second.phase == Phase::verifying) begin(upload, false);
}

void Uploads::on_stored(const std::string& sha256, const tl::expected<void, Error>& stored) {
  const auto upload = open_.find(sha256);
  if (upload == open_.end()) return;
  const std::uint64_t size = upload->second.size_bytes;
  end(upload, stored ? Message(PutState{true, size, size}) : Message(ErrorReply{stored.error()}));
}

void Uploads::on_room_made() {
  std::vector<std::string> waiting;
  for (const auto& [sha256, upload] : open_) {
    if (upload.phase == Phase::room) waiting.push_back(sha256);
  }
  for (const auto& sha256 : waiting) {
    if (const auto upload = open_.find(sha256); upload != open_.end()) begin(upload, true);
  }
}

}  // namespace taskpipe::broker
