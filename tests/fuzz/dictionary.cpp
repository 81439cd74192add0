#include "tests/fuzz/dictionary.hpp"

#include <stdexcept>

#include "tests/fuzz/frames.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::fuzz {
namespace {

namespace samples = protocol::samples;

std::string spelled(const Message& message) {
  const auto encoded = protocol::encode(message, Correlation(1), SessionId(1));
  if (!encoded) throw std::runtime_error(encoded.error().text);
  return spell(*encoded);
}

// Tasks [first, end) of four, each after the one before it.
SubmitWorkflow part(std::uint64_t number, std::uint32_t first, std::uint32_t end) {
  SubmitWorkflow workflow;
  workflow.id = WorkflowId(9, number);
  workflow.name = "chain";
  workflow.on_failure = number % 2 == 0 ? OnFailure::run_dependents : OnFailure::cancel_dependents;
  workflow.first_index = first;
  workflow.total = 4;
  workflow.specs = {samples::minimal_spec()};
  for (std::uint32_t i = first; i < end; ++i) {
    workflow.items.push_back({TaskId(number, i), 0, Payload("p"), {number, i}});
    workflow.dependencies.emplace_back();
    if (i > 0) workflow.dependencies.back().after.push_back(i - 1);
  }
  return workflow;
}

}  // namespace

const std::vector<std::string>& dictionary() {
  static const std::vector<std::string> messages = [] {
    std::vector<std::string> all;
    for (const auto& sample : samples::all()) all.push_back(spelled(sample.message));
    all.push_back(spelled(part(1, 0, 4)));
    all.push_back(spelled(part(2, 0, 2)));
    all.push_back(spelled(part(2, 2, 4)));
    all.push_back(spelled(Wait{{}, {WorkflowId(9, 1), WorkflowId(9, 2)}}));
    all.push_back(spelled(Cancel{{}, {WorkflowId(9, 1)}, 0}));
    all.push_back(spelled(Credit{64, 1'000'000}));
    return all;
  }();
  return messages;
}

}  // namespace taskpipe::fuzz
