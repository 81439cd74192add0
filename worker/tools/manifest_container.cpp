#include "worker/tools/manifest_container.hpp"

#include <utility>

namespace taskpipe::worker {
namespace {

constexpr std::size_t kMaxMounts = 32;
constexpr std::size_t kMaxArguments = 64;

void read_mounts(TableReader& table, ContainerSpec& out) {
  const auto texts = table.texts("mounts");
  if (!texts) return;
  if (texts->size() > kMaxMounts) {
    table.fail("mounts", "more than " + std::to_string(kMaxMounts) + " mounts");
    return;
  }
  for (const PlacedText& text : *texts) {
    auto mount = parse_mount(text.text);
    if (!mount) {
      table.fail_at(text.where, "mounts", mount.error());
      continue;
    }
    out.mounts.push_back(std::move(*mount));
  }
}

void read_arguments(TableReader& table, ContainerSpec& out) {
  const auto texts = table.texts("arguments");
  if (!texts) return;
  if (texts->size() > kMaxArguments) {
    table.fail("arguments", "more than " + std::to_string(kMaxArguments) + " arguments");
    return;
  }
  for (const PlacedText& text : *texts) {
    if (const auto why = refuse_argument(text.text)) table.fail_at(text.where, "arguments", *why);
    out.arguments.push_back(text.text);
  }
}

// A text that `refuse` finds nothing wrong with; `otherwise` when the key is absent.
template <class Refuse>
std::string read_checked(TableReader& table, std::string_view key, std::string otherwise,
                         Refuse refuse) {
  const auto text = table.text(key);
  if (!text) return otherwise;
  if (const auto why = refuse(text->text)) table.fail(key, *why);
  return text->text;
}

}  // namespace

void read_container(TableReader& top, Manifest& out) {
  auto table = top.table("container");
  if (!table) return;
  ContainerSpec spec;
  table->require("image");
  spec.image = read_checked(*table, "image", "", refuse_image);
  if (const auto text = table->text("runtime")) {
    const auto runtime = parse_container_runtime(text->text);
    if (!runtime) table->fail("runtime", "expected auto, docker, podman or apptainer");
    spec.runtime = runtime.value_or(ContainerRuntime::automatic);
  }
  if (const auto text = table->text("pull")) {
    if (text->text != "never" && text->text != "missing") {
      table->fail("pull", "expected never or missing");
    }
    spec.pull = text->text == "missing" ? ImagePull::missing : ImagePull::never;
  }
  read_mounts(*table, spec);
  spec.network = read_checked(*table, "network", "none", refuse_network);
  spec.user = read_checked(*table, "user", "", refuse_user);
  read_arguments(*table, spec);
  table->refuse_other_keys();
  out.container = std::move(spec);
}

}  // namespace taskpipe::worker
