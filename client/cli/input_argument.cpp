#include "client/cli/input_argument.hpp"

#include <filesystem>

#include "common/model/utf8.hpp"

namespace taskpipe::cli {

tl::expected<InputFile, Error> read_input(const std::string& text) {
  InputFile file;
  const auto colon = text.rfind(':');
  file.path = text.substr(0, colon);
  if (colon != std::string::npos) file.name = text.substr(colon + 1);
  if (colon == std::string::npos) file.name = std::filesystem::path(text).filename().string();
  if (file.path.empty() || !is_utf8(file.name) || !is_plain_relative_path(file.name)) {
    return tl::unexpected(Error{ErrorCode::invalid,
                                "--input '" + text +
                                    "': write FILE or FILE:NAME, where NAME is a relative path "
                                    "without '..'",
                                "input"});
  }
  return file;
}

}  // namespace taskpipe::cli
