// Tool manifests, which administrators write: an error that names the place, or a tool.
#include "tests/fuzz/frames.hpp"
#include "worker/tools/manifest.hpp"
#include "worker/tools/progress.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace taskpipe;  // NOLINT(google-build-using-namespace)
  const auto manifest = worker::parse_manifest(fuzz::text_of(data, size), "/fuzz/tool.toml");
  if (!manifest) {
    fuzz::require(manifest.error().text.find("tool.toml") != std::string::npos,
                  "an error that names no place: " + manifest.error().text);
    return 0;
  }
  // Programs and expansions of command lines.
  const ValueMap params{{"a", 1}, {"steps", "x"}};
  worker::Bindings bindings;
  bindings.params = &params;
  static_cast<void>(worker::expand_arguments(manifest->command, manifest->params_as, bindings));
  for (const auto& [name, value] : manifest->environment) static_cast<void>(value.expand(bindings));
  static_cast<void>(worker::make_output_parser(*manifest, {"run 10\n", params}));
  return 0;
}
