#include "common/protocol/field_path.hpp"

namespace taskpipe::protocol {

std::string FieldPath::with(std::string_view leaf) const {
  std::string text;
  const auto append_name = [&text](std::string_view name) {
    if (name.empty()) return;
    if (!text.empty()) text += '.';
    text += name;
  };
  for (std::size_t i = 0; i < size_; ++i) {
    append_name(segments_[i].name);
    if (segments_[i].index != kNoIndex) text += "[" + std::to_string(segments_[i].index) + "]";
  }
  append_name(leaf);
  return text.empty() ? "body" : text;
}

}  // namespace taskpipe::protocol
