#include "worker/tools/pattern.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace taskpipe::worker {

Pattern::Pattern(std::shared_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}

tl::expected<Pattern, std::string> Pattern::compile(std::string_view expression) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto compiled = std::make_shared<const re2::RE2>(
      re2::StringPiece(expression.data(), expression.size()), options);
  if (!compiled->ok()) return tl::unexpected(compiled->error());
  if (compiled->NumberOfCapturingGroups() > kMaxGroups) {
    return tl::unexpected(std::string("more than two groups; write (?:…) for those not wanted"));
  }
  return Pattern(std::move(compiled));
}

int Pattern::group_count() const { return compiled_->NumberOfCapturingGroups(); }

bool Pattern::search(std::string_view text, std::span<std::string_view> groups) const {
  std::array<re2::StringPiece, kMaxGroups + 1> found;
  const int wanted = std::min(static_cast<int>(groups.size()), group_count());
  // Asking for no group at all lets RE2 stop at the first sign of a match.
  if (!compiled_->Match(re2::StringPiece(text.data(), text.size()), 0, text.size(),
                        re2::RE2::UNANCHORED, found.data(), wanted == 0 ? 0 : wanted + 1)) {
    return false;
  }
  for (int i = 0; i < wanted; ++i) {
    const auto& group = found[static_cast<std::size_t>(i) + 1];
    groups[static_cast<std::size_t>(i)] = std::string_view(group.data(), group.size());
  }
  return true;
}

}  // namespace taskpipe::worker
