// A regular expression of a manifest (RE2 syntax).
//
// The text it is matched against is whatever a tool prints, so matching must stay linear in time
// and constant in stack whatever the pattern and the line; std::regex promises neither.
// Immutable, cheap to copy, safe to use from several threads. RE2 is known to pattern.cpp alone.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace re2 {
class RE2;
}

namespace taskpipe::worker {

class Pattern {
 public:
  static constexpr int kMaxGroups = 2;

  // Or a sentence saying what is wrong with the expression.
  [[nodiscard]] static tl::expected<Pattern, std::string> compile(std::string_view expression);

  [[nodiscard]] int group_count() const;
  // True when the expression matches anywhere in `text`; the first kMaxGroups groups are then
  // stored, as far as `groups` has room. A group that took no part in the match is empty.
  bool search(std::string_view text, std::span<std::string_view> groups = {}) const;

 private:
  explicit Pattern(std::shared_ptr<const re2::RE2> compiled);
  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace taskpipe::worker
