#include "common/model/payload.hpp"

#include <cstring>
#include <limits>
#include <new>

namespace taskpipe {

Payload::Payload(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max()) throw std::bad_alloc();
  void* memory = ::operator new(sizeof(Block) + bytes.size());
  block_ = new (memory) Block;
  block_->size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(static_cast<std::byte*>(memory) + sizeof(Block), bytes.data(), bytes.size());
}

Payload::Payload(std::string_view text) : Payload(std::as_bytes(std::span(text))) {}

std::span<const std::byte> Payload::bytes() const {
  if (block_ == nullptr) return {};
  return {reinterpret_cast<const std::byte*>(block_ + 1), block_->size};
}

std::string_view Payload::text() const {
  if (block_ == nullptr) return {};
  return {reinterpret_cast<const char*>(block_ + 1), block_->size};
}

void Payload::release() noexcept {
  if (block_ == nullptr) return;
  if (block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    block_->~Block();
    ::operator delete(block_);
  }
  block_ = nullptr;
}

}  // namespace taskpipe
