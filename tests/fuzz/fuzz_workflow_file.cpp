// Workflow files, which users write in JSON or TOML.
#include "client/cli/json_reader.hpp"
#include "client/cli/workflow_file.hpp"
#include "tests/fuzz/frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace taskpipe;  // NOLINT(google-build-using-namespace)
  const std::string_view text = fuzz::text_of(data, size);
  static_cast<void>(cli::read_json(text));
  for (const auto format : {cli::WorkflowFormat::json, cli::WorkflowFormat::toml}) {
    auto file = cli::read_workflow(text, format);
    if (!file) {
      fuzz::require(!file.error().text.empty(), "a refusal without a word");
      continue;
    }
    cli::make_sequential(file->request);
  }
  return 0;
}
