#include "worker/handlers/handler_registry.hpp"

#include <utility>

#include "common/model/limits.hpp"

namespace taskpipe::worker {

tl::expected<void, Error> HandlerRegistry::add(About about, std::unique_ptr<Handler> handler) {
  if (about.name.empty() || about.name.size() > limits::kMaxNameBytes) {
    return tl::unexpected(Error{
        ErrorCode::invalid,
        "a handler's name has 1 to " + std::to_string(limits::kMaxNameBytes) + " bytes", "name"});
  }
  if (entries_.contains(about.name)) {
    return tl::unexpected(Error{
        ErrorCode::invalid, "there is a handler '" + about.name + "' already; rename one", "name"});
  }
  Entry entry;
  entry.offer.name = about.name;
  entry.offer.version = std::move(about.version);
  entry.offer.description = std::move(about.description);
  entry.handler = std::move(handler);
  entries_.emplace(std::move(about.name), std::move(entry));
  return {};
}

Handler* HandlerRegistry::find(std::string_view tool) const {
  const auto found = entries_.find(tool);
  return found == entries_.end() ? nullptr : found->second.handler.get();
}

std::vector<ToolOffer> HandlerRegistry::offers() const {
  std::vector<ToolOffer> offers;
  for (const auto& [name, entry] : entries_) offers.push_back(entry.offer);
  return offers;
}

}  // namespace taskpipe::worker
