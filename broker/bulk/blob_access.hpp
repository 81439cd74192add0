// What the transfers need of the store. broker/store has the real one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/payload.hpp"

namespace taskpipe::broker {

class BlobAccess {
 public:
  BlobAccess() = default;
  BlobAccess(const BlobAccess&) = delete;
  BlobAccess& operator=(const BlobAccess&) = delete;
  virtual ~BlobAccess() = default;

  enum class Begin : std::uint8_t {
    have,       // nothing is to be sent
    receive,    // from `offset` on
    verifying,  // what is there already is being read; Transfers::on_verified says when it is done
    no_room,    // unless something is evicted; Transfers::on_room_made says that it was tried
  };
  struct Begun {
    Begin what = Begin::receive;
    std::uint64_t offset = 0;
  };
  // `last_try`: no_room is an Error, with STORAGE.
  [[nodiscard]] virtual tl::expected<Begun, Error> begin_put(const std::string& sha256,
                                                             std::uint64_t size_bytes,
                                                             bool last_try) = 0;
  // Behind what is there. STORAGE when the disk refuses; the upload is over then.
  [[nodiscard]] virtual tl::expected<void, Error> append(const std::string& sha256,
                                                         std::span<const std::byte> bytes) = 0;
  // All of it was appended. INVALID naming "sha256" when it is something else; then nothing is left
  // of it. Otherwise Transfers::on_stored says when it is safe.
  [[nodiscard]] virtual tl::expected<void, Error> complete(const std::string& sha256) = 0;
  // Nobody sends it just now; what is there stays for whoever goes on.
  virtual void leave(const std::string& sha256) = 0;

  // The size of one that is there; INVALID naming "sha256" when it is not. Counts as a use.
  [[nodiscard]] virtual tl::expected<std::uint64_t, Error> look_up(const std::string& sha256) = 0;
  [[nodiscard]] virtual tl::expected<Payload, Error> read(const std::string& sha256,
                                                          std::uint64_t offset,
                                                          std::size_t length) = 0;
};

}  // namespace taskpipe::broker
