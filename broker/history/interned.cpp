#include "broker/history/interned.hpp"

#include <openssl/sha.h>

#include <array>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>

namespace taskpipe::broker {
namespace {

// Everything that makes two specifications equal, in a form where different ones differ: numbers as
// 8 bytes, texts and lists behind their length.
class Canonical {
 public:
  void add(std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      text_ += static_cast<char>(static_cast<unsigned char>(number >> shift));
    }
  }
  void add(std::string_view text) {
    add(std::uint64_t{text.size()});
    text_ += text;
  }
  [[nodiscard]] std::string sha256() const {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    ::SHA256(reinterpret_cast<const unsigned char*>(text_.data()), text_.size(), digest.data());
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
  }

 private:
  std::string text_;
};

std::string fingerprint_of(const TaskSpec& spec) {
  Canonical canonical;
  canonical.add(spec.tool);
  canonical.add(spec.script);
  canonical.add(spec.inline_script.text());
  canonical.add(static_cast<std::uint64_t>(spec.priority));
  canonical.add(std::uint64_t{spec.resources.cpus});
  canonical.add(std::uint64_t{spec.resources.gpus});
  canonical.add(spec.resources.memory_bytes);
  canonical.add(std::uint64_t{spec.resources.named.size()});
  for (const auto& resource : spec.resources.named) {
    canonical.add(resource.name);
    canonical.add(resource.amount);
  }
  canonical.add(spec.limits.run_time_ms);
  canonical.add(std::uint64_t{spec.limits.grace_ms});
  canonical.add(std::uint64_t{spec.labels.size()});
  for (const auto& label : spec.labels) {
    canonical.add(label.key);
    canonical.add(label.value);
  }
  canonical.add(std::uint64_t{spec.wait_for_capacity ? 1U : 0U});
  // Left out while they say nothing: an equal specification of an earlier version keeps its row.
  const RetryPolicy& retry = spec.retry;
  if (spec.limits.queue_time_ms != 0 || spec.limits.no_progress_ms != 0 || retry != RetryPolicy{}) {
    canonical.add(spec.limits.queue_time_ms);
    canonical.add(spec.limits.no_progress_ms);
    canonical.add(std::uint64_t{retry.max_attempts});
    canonical.add(std::uint64_t{retry.failures});
    canonical.add(std::uint64_t{retry.backoff_ms});
    canonical.add(std::uint64_t{retry.max_backoff_ms});
    canonical.add(std::uint64_t{retry.max_worker_losses ? 1U : 0U});
    canonical.add(std::uint64_t{retry.max_worker_losses.value_or(0)});
  }
  if (!spec.inputs.empty()) {
    // Behind a text that no number of the part before begins like, so that neither can be taken for
    // the other.
    canonical.add("inputs");
    canonical.add(std::uint64_t{spec.inputs.size()});
    for (const auto& input : spec.inputs) {
      canonical.add(input.name);
      canonical.add(input.sha256);
      canonical.add(input.size_bytes);
      canonical.add(std::uint64_t{input.executable ? 1U : 0U});
    }
  }
  return canonical.sha256();
}

std::int64_t as_signed(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t as_unsigned(std::int64_t number) { return static_cast<std::uint64_t>(number); }

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The oldest knowledge is no better than the newest, and starting over costs a few look-ups.
template <class Cache>
void make_room(Cache& cache, std::size_t bound) {
  if (cache.size() >= bound) cache.clear();
}

}  // namespace

// --- Names --------------------------------------------------------------------------------------

InternedNames::InternedNames(SqliteDatabase& database)
    : database_(database),
      find_(database, "SELECT row FROM names WHERE name = ?"),
      insert_(database, "INSERT INTO names(name) VALUES (?)"),
      read_(database, "SELECT name FROM names WHERE row = ?") {}

std::int64_t InternedNames::row_of(const std::string& name) {
  const auto known = rows_.find(name);
  if (known != rows_.end()) return known->second;
  std::int64_t row = find(name);
  if (row == 0) {
    insert_.bind(0, std::string_view(name)).run();
    row = database_.last_row();
  }
  make_room(rows_, kMaxInternedNames);
  rows_.emplace(name, row);
  return row;
}

std::int64_t InternedNames::find(const std::string& name) {
  const SqliteReset reset(find_);
  return find_.bind(0, std::string_view(name)).step() ? find_.integer(0) : 0;
}

std::string InternedNames::name_of(std::int64_t row) {
  const auto known = names_.find(row);
  if (known != names_.end()) return known->second;
  const SqliteReset reset(read_);
  if (!read_.bind(0, row).step()) {
    throw std::runtime_error("the history lacks name " + std::to_string(row) +
                             ", which a row refers to; restore it from a backup");
  }
  make_room(names_, kMaxInternedNames);
  return names_.emplace(row, read_.text(0)).first->second;
}

// --- Specifications -----------------------------------------------------------------------------

InternedSpecs::InternedSpecs(SqliteDatabase& database)
    : database_(database),
      find_(database, "SELECT row FROM specs WHERE fingerprint = ?"),
      insert_(database,
              "INSERT INTO specs(fingerprint, tool, script, inline_script, priority, cpus, gpus, "
              "memory_bytes, run_time_ms, grace_ms, wait_for_capacity, queue_time_ms, "
              "no_progress_ms, max_attempts, retried_failures, backoff_ms, max_backoff_ms, "
              "max_worker_losses) "
              "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      insert_resource_(database, "INSERT INTO spec_resources VALUES (?, ?, ?, ?)"),
      insert_label_(database, "INSERT INTO spec_labels VALUES (?, ?, ?, ?)"),
      insert_input_(database, "INSERT INTO spec_inputs VALUES (?, ?, ?, ?, ?, ?)"),
      read_(database,
            "SELECT tool, script, inline_script, priority, cpus, gpus, memory_bytes, run_time_ms, "
            "grace_ms, wait_for_capacity, queue_time_ms, no_progress_ms, max_attempts, "
            "retried_failures, backoff_ms, max_backoff_ms, max_worker_losses "
            "FROM specs WHERE row = ?"),
      read_resources_(database,
                      "SELECT name, amount FROM spec_resources WHERE spec = ? ORDER BY position"),
      read_labels_(database, "SELECT key, value FROM spec_labels WHERE spec = ? ORDER BY position"),
      read_inputs_(database,
                   "SELECT name, sha256, size_bytes, executable FROM spec_inputs WHERE spec = ? "
                   "ORDER BY position") {}

std::int64_t InternedSpecs::row_of(const TaskSpec& spec) {
  std::string fingerprint = fingerprint_of(spec);
  const auto known = rows_.find(fingerprint);
  if (known != rows_.end()) return known->second;
  std::int64_t row = 0;
  {
    const SqliteReset reset(find_);
    if (find_.bind(0, as_bytes(fingerprint)).step()) row = find_.integer(0);
  }
  if (row == 0) {
    insert(spec, fingerprint);
    row = database_.last_row();
    std::int64_t position = 0;
    for (const auto& resource : spec.resources.named) {
      insert_resource_.bind(0, row).bind(1, position++).bind(2, std::string_view(resource.name));
      insert_resource_.bind(3, as_signed(resource.amount)).run();
    }
    position = 0;
    for (const auto& label : spec.labels) {
      insert_label_.bind(0, row).bind(1, position++).bind(2, std::string_view(label.key));
      insert_label_.bind(3, std::string_view(label.value)).run();
    }
    position = 0;
    for (const auto& input : spec.inputs) {
      insert_input_.bind(0, row).bind(1, position++).bind(2, std::string_view(input.name));
      insert_input_.bind(3, std::string_view(input.sha256)).bind(4, as_signed(input.size_bytes));
      insert_input_.bind(5, std::int64_t{input.executable ? 1 : 0}).run();
    }
  }
  make_room(rows_, kMaxInternedSpecs);
  rows_.emplace(std::move(fingerprint), row);
  return row;
}

void InternedSpecs::insert(const TaskSpec& spec, std::string_view fingerprint) {
  insert_.bind(0, as_bytes(fingerprint));
  insert_.bind(1, std::string_view(spec.tool)).bind(2, std::string_view(spec.script));
  if (spec.inline_script.empty()) {
    insert_.bind_null(3);
  } else {
    insert_.bind(3, spec.inline_script.bytes());
  }
  insert_.bind(4, std::int64_t{spec.priority});
  insert_.bind(5, std::int64_t{spec.resources.cpus}).bind(6, std::int64_t{spec.resources.gpus});
  insert_.bind(7, as_signed(spec.resources.memory_bytes));
  insert_.bind(8, as_signed(spec.limits.run_time_ms)).bind(9, std::int64_t{spec.limits.grace_ms});
  insert_.bind(10, std::int64_t{spec.wait_for_capacity ? 1 : 0});
  insert_.bind(11, as_signed(spec.limits.queue_time_ms));
  insert_.bind(12, as_signed(spec.limits.no_progress_ms));
  const RetryPolicy& retry = spec.retry;
  insert_.bind(13, std::int64_t{retry.max_attempts}).bind(14, std::int64_t{retry.failures});
  insert_.bind(15, std::int64_t{retry.backoff_ms}).bind(16, std::int64_t{retry.max_backoff_ms});
  if (retry.max_worker_losses) {
    insert_.bind(17, std::int64_t{*retry.max_worker_losses});
  } else {
    insert_.bind_null(17);
  }
  insert_.run();
}

TaskSpecPtr InternedSpecs::spec_of(std::int64_t row) {
  const auto known = specs_.find(row);
  if (known != specs_.end()) return known->second;
  TaskSpecPtr spec = read(row);
  make_room(specs_, kMaxInternedSpecs);
  if (cached_script_bytes_ + spec->inline_script.size() > kMaxInternedScriptBytes) specs_.clear();
  if (specs_.empty()) cached_script_bytes_ = 0;
  cached_script_bytes_ += spec->inline_script.size();
  specs_.emplace(row, spec);
  return spec;
}

TaskSpecPtr InternedSpecs::read(std::int64_t row) {
  auto spec = std::make_shared<TaskSpec>();
  {
    const SqliteReset reset(read_);
    if (!read_.bind(0, row).step()) {
      throw std::runtime_error("the history lacks specification " + std::to_string(row) +
                               ", which a row refers to; restore it from a backup");
    }
    spec->tool = read_.text(0);
    spec->script = read_.text(1);
    spec->inline_script = Payload(read_.bytes(2));
    spec->priority = static_cast<std::int32_t>(read_.integer(3));
    spec->resources.cpus = static_cast<std::uint32_t>(read_.integer(4));
    spec->resources.gpus = static_cast<std::uint32_t>(read_.integer(5));
    spec->resources.memory_bytes = as_unsigned(read_.integer(6));
    spec->limits.run_time_ms = as_unsigned(read_.integer(7));
    spec->limits.grace_ms = static_cast<std::uint32_t>(read_.integer(8));
    spec->wait_for_capacity = read_.integer(9) != 0;
    spec->limits.queue_time_ms = as_unsigned(read_.integer(10));
    spec->limits.no_progress_ms = as_unsigned(read_.integer(11));
    spec->retry.max_attempts = static_cast<std::uint32_t>(read_.integer(12));
    spec->retry.failures = static_cast<std::uint32_t>(read_.integer(13));
    spec->retry.backoff_ms = static_cast<std::uint32_t>(read_.integer(14));
    spec->retry.max_backoff_ms = static_cast<std::uint32_t>(read_.integer(15));
    if (!read_.is_null(16)) {
      spec->retry.max_worker_losses = static_cast<std::uint32_t>(read_.integer(16));
    }
  }
  read_resources_.bind(0, row);
  while (read_resources_.step()) {
    spec->resources.named.push_back(
        {std::string(read_resources_.text(0)), as_unsigned(read_resources_.integer(1))});
  }
  read_labels_.bind(0, row);
  while (read_labels_.step()) {
    spec->labels.push_back({std::string(read_labels_.text(0)), std::string(read_labels_.text(1))});
  }
  read_inputs_.bind(0, row);
  while (read_inputs_.step()) {
    spec->inputs.push_back({std::string(read_inputs_.text(0)), std::string(read_inputs_.text(1)),
                            as_unsigned(read_inputs_.integer(2)), read_inputs_.integer(3) != 0});
  }
  return spec;
}

}  // namespace taskpipe::broker
