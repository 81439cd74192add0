// Links the broker's core, the whole of it, with the model and nothing else: it needs no socket, no
// file, no clock. Running it is a bonus; that it links is the point.
#include <cstdio>
#include <optional>

#include "broker/core/record.hpp"
#include "common/model/task.hpp"

int main() {
  using taskpipe::broker::record::TasksSubmitted;
  const TasksSubmitted a;
  const TasksSubmitted b;
  taskpipe::TaskSpec spec;
  spec.tool = "shell";
  const bool fine = a == b && !taskpipe::check_spec(spec).has_value();
  std::puts(fine ? "the core stands alone" : "the core is broken");
  return fine ? 0 : 1;
}
