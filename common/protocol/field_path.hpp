// Where in a body we are, for error messages: "items[3].task_id". Private to common/protocol.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <string>
#include <string_view>

namespace taskpipe::protocol {

// A fixed stack of names with an optional index each; nothing is allocated until a text is wanted.
class FieldPath {
 public:
  // Deeper than any described structure nests; bodies themselves are bounded by kMaxBodyDepth.
  static constexpr std::size_t kMaxSegments = 12;

  // `name` must outlive its segment: a string literal. An empty name adds nothing but its index.
  void push(const char* name) {
    assert(size_ < kMaxSegments);
    segments_[size_++] = Segment{name, kNoIndex};
  }
  void pop() { --size_; }
  // Of the innermost segment.
  void set_index(std::size_t index) { segments_[size_ - 1].index = index; }

  // The path of `leaf` here; an empty leaf names the innermost segment itself, and "body" stands
  // for the empty path.
  [[nodiscard]] std::string with(std::string_view leaf) const;

 private:
  static constexpr std::size_t kNoIndex = static_cast<std::size_t>(-1);
  struct Segment {
    const char* name;
    std::size_t index;
  };
  std::array<Segment, kMaxSegments> segments_{};
  std::size_t size_ = 0;
};

// Holds a segment for as long as it lives.
class PathScope {
 public:
  PathScope(FieldPath& path, const char* name) : path_(path) { path_.push(name); }
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;
  ~PathScope() { path_.pop(); }

 private:
  FieldPath& path_;
};

}  // namespace taskpipe::protocol
