// The handlers that a worker offers, by tool name. Filled by main, then fixed and shared by
// threads.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/model/messages.hpp"
#include "worker/handlers/handler.hpp"

namespace taskpipe::worker {

class HandlerRegistry {
 public:
  struct About {
    std::string name;  // of the tool, as tasks ask for it
    std::string version;
    std::string description;
  };

  // INVALID naming the field for an empty or overlong name or a name that is taken.
  [[nodiscard]] tl::expected<void, Error> add(About about, std::unique_ptr<Handler> handler);

  // Null when there is none. Valid as long as the registry.
  [[nodiscard]] Handler* find(std::string_view tool) const;
  // Ordered by name.
  [[nodiscard]] std::vector<ToolOffer> offers() const;
  [[nodiscard]] bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    ToolOffer offer;
    std::unique_ptr<Handler> handler;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace taskpipe::worker
