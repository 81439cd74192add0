// Immutable bytes that are passed on without being copied or decoded.
//
// Params and results are opaque to the broker: they arrive, are stored and leave as Payloads. A
// Payload is a counted reference to one allocation (16 bytes of header and the bytes themselves);
// copying it copies a pointer. An empty Payload allocates nothing.
//
// Thread: distinct Payload objects may be used from distinct threads, also when they share bytes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace taskpipe {

class Payload {
 public:
  Payload() = default;
  // Copies `bytes`. Throws std::bad_alloc.
  explicit Payload(std::span<const std::byte> bytes);
  explicit Payload(std::string_view text);
  Payload(const Payload& other) noexcept : block_(other.block_) { retain(); }
  Payload(Payload&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Payload& operator=(Payload other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Payload() { release(); }

  [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::span<const std::byte> bytes() const;
  [[nodiscard]] std::string_view text() const;

  friend bool operator==(const Payload& a, const Payload& b) { return a.text() == b.text(); }

 private:
  struct Block {
    std::atomic<std::uint32_t> references{1};
    std::uint32_t size = 0;
  };
  void retain() noexcept {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept;

  Block* block_ = nullptr;
};

}  // namespace taskpipe
