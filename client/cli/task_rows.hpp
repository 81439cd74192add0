// Tasks as they are now, many at once: the table of `status` and `list`.
#pragma once

#include <vector>

#include "client/cli/invocation.hpp"

namespace taskpipe::cli {

// Nothing is printed where there are no rows.
void print_rows(Invocation& call, const std::vector<TaskRow>& rows);

[[nodiscard]] ValueList row_documents(const std::vector<TaskRow>& rows);

}  // namespace taskpipe::cli
