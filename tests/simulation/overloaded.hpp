// One visitor made of several lambdas.
#pragma once

namespace taskpipe::simulation {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

}  // namespace taskpipe::simulation
