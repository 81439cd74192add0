// Tries a failing task again, looks at its attempts, and submits what failed for good once more.
//
//   taskpipe_retries [BROKER]        # default: tcp://127.0.0.1:7610
#include <iostream>

#include "taskpipe/client.hpp"

using taskpipe::FailureClass;

int main(int argc, char** argv) {
  taskpipe::ClientOptions options;
  if (argc > 1) options.broker = argv[1];
  taskpipe::Client client(options);

  taskpipe::TaskRequest task{.tool = "shell", .script = "flaky.sh"};
  task.inline_script = "echo attempt $TASKPIPE_ATTEMPT; [ $TASKPIPE_ATTEMPT -ge 3 ]";
  task.retry.max_attempts = 2;
  task.retry.failures = failure_bit(FailureClass::exit) | failure_bit(FailureClass::timeout);
  task.retry.backoff_ms = 100;
  task.retry.max_worker_losses = 1;
  task.limits.no_progress_ms = 60'000;
  const auto id = client.submit(task);
  if (!id) {
    std::cerr << "not submitted: " << id.error().text() << '\n';
    return 1;
  }
  if (const auto result = client.wait(*id); !result) {
    std::cerr << "no result: " << result.error().text() << '\n';
    return 1;
  }

  const auto row = client.inspect(*id);
  if (!row) return 1;
  std::cout << name_of(row->state) << " at attempt " << row->attempt.value() << '\n';
  for (const taskpipe::PastAttempt& past : row->attempts) {
    std::cout << "  attempt " << past.attempt.value() << " " << name_of(past.kind) << ": "
              << past.outcome.reason << '\n';
  }

  taskpipe::QueryFilter of_shell;
  of_shell.tool = "shell";
  taskpipe::TaskListing dead = client.dead_letters(of_shell);
  while (const taskpipe::TaskRow* letter = dead.next()) {
    if (letter->id != *id) continue;
    const auto again = client.resubmit(letter->id);
    if (!again) {
      std::cerr << again.error().text() << '\n';
      return 1;
    }
    std::cout << "submitted again as " << again->to_string() << '\n';
  }
  return dead.error() ? 1 : 0;
}
