// The scripts that a tool offers: files below its folders whose names match its patterns.
//
// A script is named by its path relative to its folder ("poisson.py", "beams/cantilever.py"). When
// two folders have the same name the first one wins. Names are resolved again for every task, so a
// script that was added or edited later is used as it then is. Symbolic links may lead elsewhere
// within the same folder, never out of it. Hidden files and folders are passed over, and names that
// are not printable ASCII are not listed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::worker {

// 64 hex digits, or a sentence saying why the file cannot be read. Cost: reads the whole file.
[[nodiscard]] tl::expected<std::string, std::string> sha256_of_file(
    const std::filesystem::path& file);

class ScriptFolders {
 public:
  ScriptFolders() = default;
  // `patterns` as of fnmatch(3), matched against the last part of the name.
  ScriptFolders(std::vector<std::filesystem::path> folders, std::vector<std::string> patterns);

  struct Listing {
    std::vector<ScriptOffer> scripts;  // by name, at most limits::kMaxScriptsPerTool
    std::vector<std::string> remarks;  // what was passed over, and why
  };
  // Reads every script to hash it.
  [[nodiscard]] Listing list() const;

  // The real path of the script, inside its folder. INVALID naming "script", with the nearest or
  // the available names. Cost: a few system calls; a whole listing of names when it fails.
  [[nodiscard]] tl::expected<std::filesystem::path, Error> resolve(std::string_view name) const;

 private:
  [[nodiscard]] bool matches(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> names(std::vector<std::string>* remarks) const;

  std::vector<std::filesystem::path> folders_;
  std::vector<std::string> patterns_;
};

}  // namespace taskpipe::worker
