// Fills one message with tasks: shares equal specifications, and knows when it is full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "client/src/call.hpp"
#include "common/model/limits.hpp"
#include "common/model/messages.hpp"

namespace taskpipe::client {

// What one message may hold: the project's bounds, tightened by what the broker announced.
struct BatchLimits {
  std::size_t items = limits::kMaxBatchItems;
  std::size_t bytes = limits::kMaxBatchBytes;

  [[nodiscard]] static BatchLimits of(const Welcome& welcome);
};

class BatchBuilder {
 public:
  explicit BatchBuilder(BatchLimits limits) : limits_(limits) {}

  // Whether `task` goes into this message too. The first one always does: a single item that is too
  // big is refused when it is encoded.
  [[nodiscard]] bool has_room_for(const PreparedTask& task) const;
  void add(const PreparedTask& task);

  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] std::vector<TaskSpecPtr> take_specs() { return std::move(specs_); }
  [[nodiscard]] std::vector<SubmitItem> take_items() { return std::move(items_); }

 private:
  struct HashOfContent {
    std::size_t operator()(const PreparedSpec* spec) const { return spec->content_hash; }
  };
  struct EqualContent {
    bool operator()(const PreparedSpec* a, const PreparedSpec* b) const {
      return a == b || *a->spec == *b->spec;
    }
  };

  BatchLimits limits_;
  std::size_t bytes_ = 0;
  std::size_t blobs_ = 0;
  const PreparedSpec* last_spec_ = nullptr;  // most tasks repeat the one before
  std::uint32_t last_index_ = 0;
  // Keys are kept alive by the tasks that were added.
  std::unordered_map<const PreparedSpec*, std::uint32_t, HashOfContent, EqualContent> index_of_;
  std::vector<TaskSpecPtr> specs_;
  std::vector<SubmitItem> items_;
};

}  // namespace taskpipe::client
