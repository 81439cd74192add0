#include "worker/shell/command_sink.hpp"

#include <utility>

namespace taskpipe::worker {

Command to_command(ExecEvent event) {
  return std::visit([](auto&& e) { return Command(std::forward<decltype(e)>(e)); },
                    std::move(event));
}

Executor::Sink post_to(CommandMailbox& commands) {
  return [&commands](ExecEvent event) {
    std::vector<Command> batch;
    batch.push_back(to_command(std::move(event)));
    commands.post(std::move(batch));
  };
}

std::function<void(std::vector<ExecEvent>)> post_batches_to(CommandMailbox& commands) {
  return [&commands](std::vector<ExecEvent> events) {
    std::vector<Command> batch;
    batch.reserve(events.size());
    for (ExecEvent& event : events) batch.push_back(to_command(std::move(event)));
    commands.post(std::move(batch));
  };
}

}  // namespace taskpipe::worker
