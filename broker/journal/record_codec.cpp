#include "broker/journal/record_codec.hpp"

#include <string>
#include <utility>
#include <variant>

#include "broker/journal/record_coders.hpp"

// One list of fields per structure serves both directions, so that they cannot disagree. The order
// of the fields is the format.
namespace taskpipe::broker::codec {

void fields(auto& c, Is<NamedResource> auto& r) {
  c(r.name);
  c(r.amount);
}
void fields(auto& c, Is<Resources> auto& r) {
  c(r.cpus);
  c(r.gpus);
  c(r.memory_bytes);
  c(r.named);
}
void fields(auto& c, Is<Label> auto& l) {
  c(l.key);
  c(l.value);
}
// Of a specification, since format 2.
template <class Spec>
struct SpecExtra {
  Spec& s;
  [[nodiscard]] bool is_empty() const {
    return s.limits.queue_time_ms == 0 && s.limits.no_progress_ms == 0 && s.retry == RetryPolicy{};
  }
  void parts(auto& c) const {
    c(s.limits.queue_time_ms);
    c(s.limits.no_progress_ms);
    c(s.retry.max_attempts);
    c(s.retry.failures);
    c(s.retry.backoff_ms);
    c(s.retry.max_backoff_ms);
    c(s.retry.max_worker_losses);
  }
};
template <class Spec>
SpecExtra(Spec&) -> SpecExtra<Spec>;
void fields(auto& c, Is<TaskInput> auto& i) {
  c(i.name);
  c(i.sha256);
  c(i.size_bytes);
  c(i.executable);
}
// Of a specification, since format 3.
template <class Spec>
struct SpecInputs {
  Spec& s;
  [[nodiscard]] bool is_empty() const { return s.inputs.empty(); }
  void parts(auto& c) const { c(s.inputs); }
};
template <class Spec>
SpecInputs(Spec&) -> SpecInputs<Spec>;
void fields(auto& c, Is<TaskSpec> auto& s) {
  c(s.tool);
  c(s.script);
  c(s.inline_script);
  c(s.priority);
  c(s.resources);
  c(s.limits.run_time_ms);
  c(s.limits.grace_ms);
  c(s.labels);
  c.flagged(s.wait_for_capacity, SpecExtra{s}, SpecInputs{s});
}
void fields(auto& c, Is<Dependencies> auto& d) { c(d.after); }
void fields(auto& c, Is<Placement> auto& p) { c(p.worker); }
void fields(auto& c, Is<AttemptKey> auto& a) {
  c(a.task);
  c(a.epoch);
  c(a.attempt);
}
void fields(auto& c, Is<Outcome> auto& o) {
  c.pack(o.state, o.failure);
  c(o.exit_code);
  c(o.signal);
  c(o.usage.wall_us);
  c(o.usage.user_us);
  c(o.usage.system_us);
  c(o.usage.max_rss_bytes);
  c(o.reason);
  c(o.report);
}
void fields(auto& c, Is<ScriptOffer> auto& s) {
  c(s.name);
  c(s.sha256);
}
void fields(auto& c, Is<ToolOffer> auto& t) {
  c(t.name);
  c(t.version);
  c(t.description);
  c(t.scripts);
  c(t.inline_scripts);
  c(t.requires_script);
}
void fields(auto& c, Is<ResultItem> auto& r) {
  c(r.attempt);
  c(r.outcome);
}

void fields(auto& c, Is<PastAttempt> auto& p) {
  c(p.kind);
  c(p.epoch);
  c(p.attempt);
  c(p.worker);
  c(p.started);
  c(p.ended);
  c(p.outcome);
}

// --- Parts of records ---------------------------------------------------------------------------

void fields(auto& c, Is<record::KnownWorker> auto& w) {
  c(w.uuid);
  c(w.name);
  c(w.host);
  c(w.total);
}
void fields(auto& c, Is<record::TaskAttempt> auto& t) {
  c(t.id);
  c(t.attempt);
}
void fields(auto& c, Is<record::FinishedItem> auto& f) {
  c(f.id);
  c(f.attempt);
  c(f.outcome);
}
void fields(auto& c, Is<record::RetriedItem> auto& r) {
  c(r.id);
  c(r.attempt);
  c(r.outcome);
  c(r.due);
}
void fields(auto& c, Is<record::WorkflowMember> auto& m) {
  c(m.id);
  c(m.ended);
  c(m.after);
}
void submit_items(auto& c, auto& specs, auto& items) {
  c(specs);
  c.list_of(items, [&c, &specs](auto& item) {
    c(item.id);
    c.index(item.spec, specs.size());
    c(item.params);
    c(item.params_hash);
  });
}

// --- Records ------------------------------------------------------------------------------------

void fields(auto& c, Is<record::EpochStarted> auto& r) {
  c(r.epoch);
  c(r.broker);
  c(r.at);
}
void fields(auto& c, Is<record::ToolsKnown> auto& r) { c(r.tools); }
void fields(auto& c, Is<record::WorkersKnown> auto& r) { c(r.workers); }
void fields(auto& c, Is<record::TasksSubmitted> auto& r) {
  c(r.owner);
  c(r.at);
  c(r.first_arrival);
  submit_items(c, r.specs, r.items);
}
void fields(auto& c, Is<record::TasksResubmitted> auto& r) {
  c(r.tasks);
  c.list_as_long_as(r.originals, r.tasks.items.size());
}
void fields(auto& c, Is<record::WorkflowSubmitted> auto& r) {
  c(r.owner);
  c(r.at);
  c(r.first_arrival);
  c(r.id);
  c(r.name);
  c(r.on_failure);
  submit_items(c, r.specs, r.items);
  c(r.dependencies);
}
void fields(auto& c, Is<record::TasksDispatched> auto& r) {
  c(r.epoch);
  c(r.placements);
  c(r.items);
}
void fields(auto& c, Is<record::TasksStarted> auto& r) {
  c(r.at);
  c(r.items);
}
void fields(auto& c, Is<record::TasksRequeued> auto& r) {
  c(r.at);
  c(r.cause);
  c(r.items);
}
void fields(auto& c, Is<record::TasksRetried> auto& r) {
  c(r.at);
  c(r.items);
}
void fields(auto& c, Is<record::CancelRequested> auto& r) {
  c(r.at);
  c(r.grace_ms);
  c(r.items);
}
void fields(auto& c, Is<record::TasksFinished> auto& r) {
  c(r.at);
  c(r.items);
}
void fields(auto& c, Is<record::StaleResults> auto& r) {
  c(r.at);
  c(r.worker);
  c(r.items);
}
// Of an image, since format 2.
template <class Image>
struct ImageExtra {
  Image& r;
  [[nodiscard]] bool is_empty() const {
    return r.failures == 0 && r.ready_at == WallTime{} && r.pasts.empty() && !r.original;
  }
  void parts(auto& c) const {
    c(r.failures);
    c(r.ready_at);
    c(r.pasts);
    c(r.original);
  }
};
template <class Image>
ImageExtra(Image&) -> ImageExtra<Image>;
void fields(auto& c, Is<record::TaskImage> auto& r) {
  c(r.id);
  c(r.owner);
  c(r.spec);
  c(r.params);
  c(r.params_hash);
  c(r.arrival);
  c(r.workflow);
  c(r.state);
  c.flagged(r.dispatched, ImageExtra{r});
  c(r.epoch);
  c(r.attempt);
  c(r.placements);
  c(r.worker_losses);
  c(r.cancel_requested);
  c(r.cancel_grace_ms);
  c(r.submitted);
  c(r.started);
  c(r.finished);
  c(r.outcome);
  c(r.terminal_lsn);
}
void fields(auto& c, Is<record::WorkflowImage> auto& r) {
  c(r.id);
  c(r.owner);
  c(r.name);
  c(r.on_failure);
  c(r.submitted);
  c(r.finished);
  c(r.terminal_lsn);
  c(r.members);
}

// --- Type bytes ---------------------------------------------------------------------------------

// Never reuse a number.
template <class R>
inline constexpr std::uint8_t kTypeByte = 0;
template <>
inline constexpr std::uint8_t kTypeByte<record::EpochStarted> = 1;
template <>
inline constexpr std::uint8_t kTypeByte<record::ToolsKnown> = 2;
template <>
inline constexpr std::uint8_t kTypeByte<record::WorkersKnown> = 3;
template <>
inline constexpr std::uint8_t kTypeByte<record::TasksSubmitted> = 4;
template <>
inline constexpr std::uint8_t kTypeByte<record::WorkflowSubmitted> = 5;
template <>
inline constexpr std::uint8_t kTypeByte<record::TasksDispatched> = 6;
template <>
inline constexpr std::uint8_t kTypeByte<record::TasksStarted> = 7;
template <>
inline constexpr std::uint8_t kTypeByte<record::TasksRequeued> = 8;
template <>
inline constexpr std::uint8_t kTypeByte<record::CancelRequested> = 9;
template <>
inline constexpr std::uint8_t kTypeByte<record::TasksFinished> = 10;
template <>
inline constexpr std::uint8_t kTypeByte<record::StaleResults> = 11;
template <>
inline constexpr std::uint8_t kTypeByte<record::TaskImage> = 12;
template <>
inline constexpr std::uint8_t kTypeByte<record::WorkflowImage> = 13;
template <>
inline constexpr std::uint8_t kTypeByte<record::TasksRetried> = 14;
template <>
inline constexpr std::uint8_t kTypeByte<record::TasksResubmitted> = 15;

namespace {

Error malformed(std::string text) { return Error{ErrorCode::malformed, std::move(text), "record"}; }

// Decodes into the alternative whose type byte is `type`; false when there is none.
template <std::size_t Index = 0>
bool decode_fields(std::uint8_t type, Decoder& decoder, Record& record) {
  if constexpr (Index < std::variant_size_v<Record>) {
    using R = std::variant_alternative_t<Index, Record>;
    static_assert(kTypeByte<R> != 0, "every record has a type byte");
    if (type != kTypeByte<R>) return decode_fields<Index + 1>(type, decoder, record);
    fields(decoder, record.emplace<R>());
    return true;
  } else {
    return false;
  }
}

}  // namespace
}  // namespace taskpipe::broker::codec

namespace taskpipe::broker {

void encode_record(const Record& record, ByteBuffer& out) {
  std::visit(
      [&out](const auto& r) {
        out.put_byte(codec::kTypeByte<std::remove_cvref_t<decltype(r)>>);
        codec::Encoder encoder(out);
        codec::fields(encoder, r);
      },
      record);
}

tl::expected<Record, Error> decode_record(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  codec::Decoder decoder(reader);
  Record record;
  const std::uint8_t type = reader.take_byte();
  if (reader.failed()) return tl::unexpected(codec::malformed("an empty record"));
  const std::string name = "record of type " + std::to_string(type);
  if (!codec::decode_fields(type, decoder, record)) {
    return tl::unexpected(codec::malformed(
        name + " is unknown to this version; a newer taskpipe may have written it"));
  }
  if (reader.failed()) {
    return tl::unexpected(codec::malformed(name + " has an impossible value before byte " +
                                           std::to_string(reader.position())));
  }
  if (reader.left() != 0) {
    return tl::unexpected(codec::malformed(name + " is followed by " +
                                           std::to_string(reader.left()) + " unexpected bytes"));
  }
  return record;
}

}  // namespace taskpipe::broker
