#include "worker/tools/script_folders.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "common/process/sha256.hpp"
#include "worker/tools/text.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

Error script_error(std::string_view name, const std::string& what) {
  return Error{ErrorCode::invalid, "script '" + std::string(name) + "' " + what, "script"};
}

// The same rule as check_spec's, which may not have seen this name.
bool is_plain_relative(std::string_view name) {
  if (name.empty() || name.size() > limits::kMaxScriptNameBytes) return false;
  if (name.find('\0') != std::string_view::npos) return false;
  const fs::path path{name};
  return path.is_relative() && std::none_of(path.begin(), path.end(), [](const fs::path& part) {
           return part.empty() || part.native().front() == '.';
         });
}

bool is_within(const fs::path& folder, const fs::path& file) {
  const auto [end, ignored] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return end == folder.end();
}

enum class Lookup { found, absent, outside };

Lookup look_up(const fs::path& folder, std::string_view name, fs::path& out) {
  std::error_code failed;
  const fs::path root = fs::canonical(folder, failed);
  if (failed) return Lookup::absent;
  out = fs::canonical(root / name, failed);
  if (failed || !fs::is_regular_file(out, failed)) return Lookup::absent;
  return is_within(root, out) ? Lookup::found : Lookup::outside;
}

}  // namespace

tl::expected<std::string, std::string> sha256_of_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return tl::unexpected(std::string("cannot be read"));
  process::Sha256 hash;
  std::array<char, 16384> buffer{};
  while (in) {
    in.read(buffer.data(), buffer.size());
    hash.update(std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(in.gcount()))));
  }
  if (in.bad()) return tl::unexpected(std::string("cannot be read to its end"));
  return hash.finish_hex();
}

ScriptFolders::ScriptFolders(std::vector<fs::path> folders, std::vector<std::string> patterns)
    : folders_(std::move(folders)), patterns_(std::move(patterns)) {}

bool ScriptFolders::matches(std::string_view name) const {
  const std::string last(name.substr(name.rfind('/') + 1));  // npos + 1 is 0
  return std::any_of(patterns_.begin(), patterns_.end(), [&last](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), last.c_str(), FNM_PERIOD) == 0;
  });
}

std::vector<std::string> ScriptFolders::names(std::vector<std::string>* remarks) const {
  std::vector<std::string> result;
  std::size_t looked_at = 0;
  const auto remark = [remarks](const std::string& text) {
    if (remarks != nullptr) remarks->push_back(text);
  };
  for (const auto& folder : folders_) {
    std::error_code failed;
    // Links to folders are not followed, so a loop of links cannot hold us.
    fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied,
                                        failed);
    if (failed) remark("folder " + folder.string() + ": " + failed.message());
    for (; !failed && it != fs::end(it); it.increment(failed)) {
      if (++looked_at > limits::kMaxScriptFolderEntries) {
        remark("folder " + folder.string() + ": too many entries; the rest is passed over");
        break;
      }
      std::error_code ignored;
      const bool hidden = it->path().filename().native().starts_with('.');
      if (hidden && it->is_directory(ignored)) it.disable_recursion_pending();
      if (hidden || !it->is_regular_file(ignored)) continue;
      std::string name = it->path().lexically_relative(folder).generic_string();
      if (!matches(name)) continue;
      if (is_printable(name) && name.size() <= limits::kMaxScriptNameBytes) {
        result.push_back(std::move(name));
      } else {
        remark("script " + printable(name) + " is passed over: rename it, in ASCII");
      }
    }
  }
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

ScriptFolders::Listing ScriptFolders::list() const {
  Listing listing;
  for (const auto& name : names(&listing.remarks)) {
    if (listing.scripts.size() == limits::kMaxScriptsPerTool) {
      listing.remarks.push_back("more than " + std::to_string(limits::kMaxScriptsPerTool) +
                                " scripts; the rest is not listed, though it can be run");
      break;
    }
    const auto path = resolve(name);
    const auto hash = path ? sha256_of_file(*path)
                           : tl::expected<std::string, std::string>(
                                 tl::unexpect, std::string("leads out of its folder"));
    if (hash) {
      listing.scripts.push_back(ScriptOffer{name, *hash});
    } else {
      listing.remarks.push_back("script " + name + " " + hash.error());
    }
  }
  return listing;
}

tl::expected<fs::path, Error> ScriptFolders::resolve(std::string_view name) const {
  if (!is_plain_relative(name)) {
    return tl::unexpected(
        script_error(name,
                     "is no name below the tool's folders: use a relative one without "
                     "'..' and hidden parts"));
  }
  if (matches(name)) {
    for (const auto& folder : folders_) {
      fs::path path;
      switch (look_up(folder, name, path)) {
        case Lookup::found: return path;
        case Lookup::absent: break;
        case Lookup::outside:
          return tl::unexpected(
              script_error(name, "is a link that leads out of the tool's folders"));
      }
    }
  }
  const auto available = names(nullptr);
  std::string what = "is not offered by this tool";
  const std::string_view nearest = nearest_name(name, available);
  if (!nearest.empty()) {
    what += "; did you mean '" + std::string(nearest) + "'?";
  } else if (available.empty()) {
    what += ", which has none of its own";
  } else {
    what += "; available: " + enumerate(available, 20);
  }
  return tl::unexpected(script_error(name, what));
}

}  // namespace taskpipe::worker
