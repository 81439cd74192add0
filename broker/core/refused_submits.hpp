// Which SUBMITs of a session were refused for now.
//
// The client submits those tasks again, by a message of its own. A copy of the refused one that a
// relay delivers afterwards must not be accepted: once the tasks have run and moved to the history,
// nobody would recognise the other message as a repetition. Unnumbered ones (correlation 0) cannot
// be told apart, and are not remembered.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "common/model/ids.hpp"

namespace taskpipe::broker {

class RefusedSubmits {
 public:
  void add(Correlation correlation) {
    if (correlation == Correlation{} || contains(correlation)) return;
    if (refused_.size() == kMost) refused_.erase(refused_.begin());
    refused_.push_back(correlation);
  }
  // O(kMost): asked only where something is out of the ordinary.
  [[nodiscard]] bool contains(Correlation correlation) const {
    return std::find(refused_.begin(), refused_.end(), correlation) != refused_.end();
  }

 private:
  static constexpr std::size_t kMost = 256;  // the oldest is forgotten beyond it

  std::vector<Correlation> refused_;  // in the order of refusal
};

}  // namespace taskpipe::broker
