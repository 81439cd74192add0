// The [container] table of a manifest.
#pragma once

#include "worker/tools/manifest.hpp"
#include "worker/tools/toml_reader.hpp"

namespace taskpipe::worker {

// What is wrong is told to the document of `top`.
void read_container(TableReader& top, Manifest& out);

}  // namespace taskpipe::worker
