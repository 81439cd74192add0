// Specifications that the images of tasks name by number, so that what many tasks share is not
// repeated with each of them when they are carried forward.
//
// A number serves images for limits::kSpecReach records only. So what has to be carried forward
// with an old segment, beyond its own records, is bounded: the images that name its numbers.
// Numbers rise with the records that hold them. Thread: one. Lookups are O(log n) in the specs
// kept.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "broker/core/memory_ledger.hpp"
#include "broker/core/record.hpp"

namespace taskpipe::broker {

class KeptSpecs {
 public:
  // Of a record. False when the number is not above all before it: the record is damaged.
  [[nodiscard]] bool keep(SpecNumber number, const TaskSpecPtr& spec, Lsn home,
                          MemoryLedger& memory);
  // Of the image in record `image`; null when the number is not known. An image that names one from
  // before all that are known is superseded: its task has left memory, or has a later image.
  [[nodiscard]] TaskSpecPtr named(SpecNumber number, Lsn image);
  [[nodiscard]] bool is_superseded(SpecNumber number) const;

  // For an image in one of the records that follow `now`; nothing, unless this very object was kept
  // lately, and after `given_up`.
  [[nodiscard]] std::optional<SpecNumber> number_of(const TaskSpec* spec, Lsn now,
                                                    Lsn given_up) const;
  [[nodiscard]] SpecNumber unused() const { return last_.next(); }

  // The last image that names what lies at or before `lsn`; `lsn` when there is none beyond it.
  [[nodiscard]] Lsn last_image(Lsn lsn) const;
  // What lies at or before `lsn`: no image that counts names it any more.
  void forget(Lsn lsn, MemoryLedger& memory);
  // The oldest record that is needed.
  [[nodiscard]] std::optional<Lsn> oldest_home() const;

  struct Kept {
    TaskSpecPtr spec;
    Lsn home;
    Lsn last_image;  // the newest that names it
  };
  [[nodiscard]] const std::map<SpecNumber, Kept>& all() const { return kept_; }

 private:
  std::map<SpecNumber, Kept> kept_;
  std::unordered_map<const TaskSpec*, SpecNumber> newest_;
  std::optional<SpecNumber> first_;  // of all that were ever kept here
  SpecNumber last_;
};

}  // namespace taskpipe::broker
