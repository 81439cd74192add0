#include "broker/core/kept_specs.hpp"

#include <algorithm>

#include "common/model/limits.hpp"

namespace taskpipe::broker {

bool KeptSpecs::keep(SpecNumber number, const TaskSpecPtr& spec, Lsn home, MemoryLedger& memory) {
  if (number <= last_) return false;
  if (!first_) first_ = number;
  last_ = number;
  kept_.emplace(number, Kept{spec, home, home});
  newest_[spec.get()] = number;
  memory.spec_held(*spec);
  return true;
}

TaskSpecPtr KeptSpecs::named(SpecNumber number, Lsn image) {
  const auto found = kept_.find(number);
  if (found == kept_.end()) return nullptr;
  found->second.last_image = image;
  return found->second.spec;
}

bool KeptSpecs::is_superseded(SpecNumber number) const { return !first_ || number < *first_; }

std::optional<SpecNumber> KeptSpecs::number_of(const TaskSpec* spec, Lsn now, Lsn given_up) const {
  const auto found = newest_.find(spec);
  if (found == newest_.end()) return std::nullopt;
  const Lsn home = kept_.at(found->second).home;
  if (home <= given_up || now.value() - home.value() >= limits::kSpecReach) return std::nullopt;
  return found->second;
}

Lsn KeptSpecs::last_image(Lsn lsn) const {
  Lsn last = lsn;
  for (const auto& [number, kept] : kept_) {
    if (kept.home > lsn) break;
    last = std::max(last, kept.last_image);
  }
  return last;
}

void KeptSpecs::forget(Lsn lsn, MemoryLedger& memory) {
  while (!kept_.empty() && kept_.begin()->second.home <= lsn) {
    const auto oldest = kept_.begin();
    const TaskSpec* spec = oldest->second.spec.get();
    const auto newest = newest_.find(spec);
    if (newest != newest_.end() && newest->second == oldest->first) newest_.erase(newest);
    memory.spec_let_go(*spec);
    kept_.erase(oldest);
  }
}

std::optional<Lsn> KeptSpecs::oldest_home() const {
  if (kept_.empty()) return std::nullopt;
  return kept_.begin()->second.home;
}

}  // namespace taskpipe::broker
