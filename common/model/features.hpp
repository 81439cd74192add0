// What a peer can do beyond what its protocol version says, as it tells in HELLO. Whoever does not
// name a feature is served without it: it may be of an earlier release.
#pragma once

#include <string_view>

namespace taskpipe {

// Of a worker: it fetches the inputs of a task before its start.
inline constexpr std::string_view kFeatureInputs = "inputs";

}  // namespace taskpipe
