// The attempts that a fuzzed session has met, and messages that speak of them: a message with ids
// of nobody goes no deeper than the table of attempts.
#pragma once

#include <cstddef>
#include <vector>

#include "common/model/messages.hpp"

namespace taskpipe::fuzz {

class KnownAttempts {
 public:
  void add(const AttemptKey& key);
  [[nodiscard]] bool empty() const { return keys_.empty(); }
  [[nodiscard]] const AttemptKey& at(std::size_t index) const {
    return keys_[index % keys_.size()];
  }

  // Every attempt and task that `message` names becomes one of these, chosen by the named id.
  void adopt(Message& message) const;

 private:
  std::vector<AttemptKey> keys_;
};

}  // namespace taskpipe::fuzz
