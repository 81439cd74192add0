#include "worker/spawner/cgroup_location.hpp"

#include <algorithm>
#include <vector>

namespace taskpipe::worker {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool lists(std::string_view comma_separated, std::string_view word) {
  const auto words = split(comma_separated, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octal = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      const int code = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      out.push_back(static_cast<char>(code));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// Lines are "hierarchy:controllers:path"; v2 is "0::path". The path may contain colons.
std::optional<std::string> own_path(CgroupVersion version, std::string_view controller,
                                    std::string_view cgroup_text) {
  for (const std::string_view line : split(cgroup_text, '\n')) {
    const std::size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool wanted = version == CgroupVersion::v2
                            ? line.substr(0, first) == "0" && controllers.empty()
                            : lists(controllers, controller);
    if (wanted) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

// `path` seen from a mount that shows the hierarchy from `mount_root` on.
std::optional<std::string> below(const std::string& path, const std::string& mount_root) {
  if (mount_root == "/") return path == "/" ? "" : path;
  if (path == mount_root) return "";
  if (path.starts_with(mount_root + "/")) return path.substr(mount_root.size());
  return std::nullopt;
}

}  // namespace

std::optional<std::string> own_cgroup_directory(CgroupVersion version, std::string_view controller,
                                                std::string_view cgroup_text,
                                                std::string_view mountinfo_text) {
  const auto path = own_path(version, controller, cgroup_text);
  if (!path) return std::nullopt;
  const std::string_view type = version == CgroupVersion::v2 ? "cgroup2" : "cgroup";
  for (const std::string_view line : split(mountinfo_text, '\n')) {
    // id parent major:minor root mountpoint options [optional…] - type source super-options
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 7 || fields.end() - dash < 4 || *(dash + 1) != type) continue;
    if (version == CgroupVersion::v1 && !lists(*(dash + 3), controller)) continue;
    const auto relative = below(*path, unescape(fields[3]));
    if (relative) return unescape(fields[4]) + *relative;
  }
  return std::nullopt;
}

}  // namespace taskpipe::worker
