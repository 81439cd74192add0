#include "common/model/messages.hpp"

#include <algorithm>

namespace taskpipe {
namespace {

bool same_specs(const std::vector<TaskSpecPtr>& a, const std::vector<TaskSpecPtr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const TaskSpecPtr& x, const TaskSpecPtr& y) { return *x == *y; });
}

}  // namespace

bool operator==(const Submit& a, const Submit& b) {
  return same_specs(a.specs, b.specs) && a.items == b.items && a.wait == b.wait;
}

bool operator==(const SubmitWorkflow& a, const SubmitWorkflow& b) {
  return a.id == b.id && a.name == b.name && a.on_failure == b.on_failure &&
         a.first_index == b.first_index && a.total == b.total && same_specs(a.specs, b.specs) &&
         a.items == b.items && a.dependencies == b.dependencies;
}

bool operator==(const Tasks& a, const Tasks& b) {
  return same_specs(a.specs, b.specs) && a.items == b.items;
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::client: return "client";
    case Role::worker: return "worker";
    case Role::observer: return "observer";
    case Role::admin: return "admin";
  }
  return "?";
}

std::optional<Role> parse_role(std::string_view name) {
  for (const Role role : {Role::client, Role::worker, Role::observer, Role::admin}) {
    if (name == name_of(role)) return role;
  }
  return std::nullopt;
}

std::string_view name_of(WorkerState state) {
  switch (state) {
    case WorkerState::ready: return "ready";
    case WorkerState::suspect: return "suspect";
    case WorkerState::draining: return "draining";
    case WorkerState::lost: return "lost";
  }
  return "?";
}

}  // namespace taskpipe
