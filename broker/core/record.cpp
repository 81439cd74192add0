#include "broker/core/record.hpp"

#include <algorithm>

namespace taskpipe::broker::record {
namespace {

bool same_specs(const std::vector<TaskSpecPtr>& a, const std::vector<TaskSpecPtr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const TaskSpecPtr& x, const TaskSpecPtr& y) { return *x == *y; });
}

}  // namespace

bool operator==(const TasksSubmitted& a, const TasksSubmitted& b) {
  return a.owner == b.owner && a.at == b.at && a.first_arrival == b.first_arrival &&
         same_specs(a.specs, b.specs) && a.items == b.items;
}

bool operator==(const WorkflowSubmitted& a, const WorkflowSubmitted& b) {
  return a.owner == b.owner && a.at == b.at && a.first_arrival == b.first_arrival && a.id == b.id &&
         a.name == b.name && a.on_failure == b.on_failure && same_specs(a.specs, b.specs) &&
         a.items == b.items && a.dependencies == b.dependencies;
}

bool operator==(const SpecKept& a, const SpecKept& b) {
  return a.number == b.number && *a.spec == *b.spec;
}

bool operator==(const TaskImageWithSpec& a, const TaskImageWithSpec& b) {
  return a.image == b.image && *a.spec == *b.spec;
}

}  // namespace taskpipe::broker::record
