// Which blobs of the store live tasks need: counted as tasks come and end, told when the store has
// to make room.
#include <utility>

#include "broker/core/fold_steps.hpp"
#include "broker/core/handlers.hpp"

namespace taskpipe::broker {

void need_inputs(State& state, const Task& task) {
  for (const auto& input : task.spec->inputs) ++state.inputs_needed[input.sha256];
}

void release_inputs(State& state, const Task& task) {
  for (const auto& input : task.spec->inputs) {
    const auto needed = state.inputs_needed.find(input.sha256);
    if (--needed->second == 0) state.inputs_needed.erase(needed);
  }
}

void on_blobs_asked(Turn& turn, command::BlobsAsked command) {
  BlobsNeeded answer{command.ticket, {}};
  for (auto& hash : command.hashes) {
    if (turn.state.inputs_needed.contains(hash)) answer.hashes.push_back(std::move(hash));
  }
  turn.effects.blobs_needed.push_back(std::move(answer));
}

}  // namespace taskpipe::broker
