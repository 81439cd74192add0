#include "worker/tools/tool.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>

#include "common/model/limits.hpp"
#include "worker/tools/container_probe.hpp"
#include "worker/tools/text.hpp"

namespace taskpipe::worker {
namespace {

// Nothing of the worker's environment reaches a tool but what is named here or in its manifest.
// LANG is fixed because readers of output and scripts alike rely on decimal points. A container has
// its own PATH, and no home but the attempt's folder.
Environment base_environment(const Manifest& manifest, const Environment& worker_environment) {
  Environment base{{"LANG", "C.UTF-8"}, {"PYTHONUNBUFFERED", "1"}};
  std::vector<std::string> names = manifest.inherit;
  names.emplace_back("TZ");
  if (!manifest.container) {
    base["PATH"] = kSystemPath;
    names.insert(names.end(), {"PATH", "HOME", "USER"});
  }
  for (const auto& name : names) {
    const auto it = worker_environment.find(name);
    if (it != worker_environment.end() && !it->second.empty()) base[name] = it->second;
  }
  return base;
}

// On the node. What a container's command needs is in its image.
std::optional<std::string> first_missing(const Manifest& manifest, std::string_view search_path) {
  auto programs = manifest.required_programs;
  for (const auto* argv : {&manifest.command, &manifest.version.argv}) {
    if (argv->empty() || manifest.container) continue;
    if (auto literal = argv->front().literal()) programs.push_back(std::move(*literal));
  }
  for (const auto& program : programs) {
    if (!find_program(program, search_path)) {
      return "program '" + program + "' is not installed (looked in PATH)";
    }
  }
  for (const auto& file : manifest.required_files) {
    std::error_code failed;
    if (!std::filesystem::exists(file, failed)) return "file '" + file.string() + "' is missing";
  }
  return std::nullopt;
}

// The variables that a manifest sets, as far as they need nothing of a task.
Environment probe_environment(const Manifest& manifest, Environment base) {
  const std::string toolbox = manifest.folder.string();
  const Bindings bindings{{}, "/tmp", toolbox, 1, nullptr, {}, {}};
  for (const auto& [name, value] : manifest.environment) {
    if (auto text = value.expand(bindings)) base[name] = std::move(*text);
  }
  return base;
}

std::string_view first_line(std::string_view text) {
  return trimmed(text.substr(0, text.find('\n')));
}

// Runs the version probe on the node.
tl::expected<ProgramAnswer, std::string> ask_here(std::vector<std::string> argv,
                                                  const Environment& environment, Millis timeout) {
  const auto path = find_program(argv.front(), environment.at("PATH"));
  if (!path) return tl::unexpected("program '" + argv.front() + "' is not installed");
  argv.front() = path->string();
  return ask_program(argv, environment, timeout);
}

tl::expected<std::string, std::string> ask_version(const Manifest& manifest,
                                                   const Environment& environment,
                                                   const ContainerSetup* container) {
  const VersionProbe& probe = manifest.version;
  if (probe.argv.empty()) return probe.fixed;
  const std::string toolbox = manifest.folder.string();
  auto argv = expand_arguments(probe.argv, {}, Bindings{{}, {}, toolbox, 1, nullptr, {}, {}});
  if (!argv) return tl::unexpected(argv.error().text);
  const std::string program = argv->front();
  const auto answer = container != nullptr
                          ? ask_in_container(*container, manifest.name, std::move(*argv),
                                             environment, probe.timeout)
                          : ask_here(std::move(*argv), environment, probe.timeout);
  if (!answer) return tl::unexpected("version probe: " + answer.error());

  std::array<std::string_view, 1> group;
  std::string_view rest = answer->output;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!probe.pattern->search(line, group)) continue;
    const auto version = probe.pattern->group_count() == 0 ? trimmed(line) : trimmed(group[0]);
    return printable(version.substr(0, limits::kMaxNameBytes));
  }
  return tl::unexpected("version probe '" + program + "' ended with status " +
                        std::to_string(answer->exit_code) +
                        " and printed nothing that matches version.regex; it began with: " +
                        printable(first_line(answer->output).substr(0, 200)));
}

// Of a container whose manifest asks for no version: which image it is.
std::string version_of(const PreparedContainer& container) {
  std::string text = container.setup.spec.image;
  if (!container.image_id.empty()) text += " " + container.image_id;
  return printable(text.substr(0, limits::kMaxNameBytes));
}

}  // namespace

tl::expected<Tool::Probed, std::string> Tool::probe(Manifest manifest,
                                                    const Environment& worker_environment,
                                                    const Environment& user_environment,
                                                    const ContainerHost& host) {
  Tool tool;
  tool.base_ = base_environment(manifest, worker_environment);
  const Environment environment = probe_environment(manifest, tool.base_);
  const auto worker_path = worker_environment.find("PATH");
  const std::string_view search_path =
      !manifest.container                       ? std::string_view(environment.at("PATH"))
      : worker_path == worker_environment.end() ? kSystemPath
                                                : std::string_view(worker_path->second);
  if (auto missing = first_missing(manifest, search_path)) {
    return tl::unexpected(std::move(*missing));
  }
  std::string image;
  if (manifest.container) {
    auto prepared = prepare_container(manifest, worker_environment, host);
    if (!prepared) return tl::unexpected(std::move(prepared.error()));
    image = version_of(*prepared);
    tool.container_ = std::move(prepared->setup);
  }
  // Of the user's own, a container gets nothing; a client that runs as he does, all, also when it
  // is asked for the version.
  Environment* const user_part = tool.environment_of_user();
  const auto add_user_part = [&] {
    if (user_part == nullptr) return;
    for (const auto& [name, value] : user_environment) (*user_part)[name] = value;
  };
  if (tool.container_) add_user_part();
  auto version = ask_version(manifest, environment, tool.container_ ? &*tool.container_ : nullptr);
  if (!version) return tl::unexpected(std::move(version.error()));
  if (version->empty()) *version = image;
  if (!tool.container_) add_user_part();  // after a probe with the worker's rights

  tool.scripts_ = ScriptFolders(manifest.script_folders, manifest.script_patterns);
  auto listing = tool.scripts_.list();
  tool.offer_ = ToolOffer{manifest.name,           std::move(*version),
                          manifest.description,    std::move(listing.scripts),
                          manifest.inline_scripts, manifest.requires_script};
  tool.manifest_ = std::move(manifest);
  return Probed{std::move(tool), std::move(listing.remarks)};
}

Environment* Tool::environment_of_user() {
  if (!container_) return &base_;
  return outlives_its_client(container_->runtime) ? nullptr : &container_->client;
}

}  // namespace taskpipe::worker
