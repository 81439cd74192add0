#include "client/cli/event_topics.hpp"

#include <algorithm>
#include <vector>

#include "common/model/ids.hpp"
#include "common/process/suggestion.hpp"

namespace taskpipe::cli {
namespace {

const std::vector<std::string>& topic_families() {
  static const std::vector<std::string> families = {"task",   "progress",  "workflow",
                                                    "worker", "heartbeat", "id"};
  return families;
}

tl::unexpected<Error> no_topic(std::string_view text, const std::string& why) {
  return tl::unexpected(
      Error{ErrorCode::invalid, "--topic: '" + std::string(text) + "' " + why, "topic"});
}

}  // namespace

tl::expected<std::string, Error> read_topic(std::string_view text) {
  std::string topic(text);
  if (!topic.ends_with('.')) topic += '.';
  const auto dot = topic.find('.');
  const std::string family = topic.substr(0, dot);
  const auto& families = topic_families();
  if (std::find(families.begin(), families.end(), family) == families.end()) {
    const std::string near = process::nearest_name(family, families);
    return no_topic(text,
                    "is no topic: they are task.TOOL, progress.TOOL, workflow.ID, worker, "
                    "heartbeat and id.TASK" +
                        (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
  if (dot + 1 == topic.size()) return topic;  // all of the family
  const std::string_view name = std::string_view(topic).substr(dot + 1, topic.size() - dot - 2);
  const bool has_id = family == "id" || family == "workflow";
  if (has_id && !TaskId::parse(name)) {
    return no_topic(text, "names no " + std::string(family == "id" ? "task" : "workflow") +
                              ": all of the 32 hex digits of its id are needed");
  }
  if (family == "worker" || family == "heartbeat") {
    return no_topic(text, "is no topic: '" + family + "' is one as a whole");
  }
  return topic;
}

}  // namespace taskpipe::cli
