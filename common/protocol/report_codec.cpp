// Run reports: what a worker tells the client of a finished attempt, past the broker.
#include <exception>

#include "common/protocol/shared_schema.hpp"
#include "common/protocol/value_codec.hpp"
#include "common/protocol/value_tree.hpp"

namespace taskpipe::protocol {
namespace {

// Replacing invalid bytes makes three of one.
constexpr Bound kTail = prose(3 * limits::kTailBytes);
constexpr Bound kPath = up_to_bytes(limits::kMaxPathBytes);

}  // namespace

template <>
struct Schema<Value> {
  static void write(BodyWriter& out, const char* name, const Value& value) {
    if (const auto defect = ValueWriter(out).write(value)) {
      out.fail(defect->code, name + defect->place, defect->why);
    }
  }
  static void read(BodyReader& in, const char* name, Value& value) {
    if (const auto defect = ValueReader(in).read(value)) {
      in.fail(defect->code, name + defect->place, defect->why);
    }
  }
};

using LastMetrics = std::map<std::string, double>;

template <>
struct Schema<LastMetrics> {
  static void write(BodyWriter& out, const char* name, const LastMetrics& metrics) {
    out.check_count(name, metrics.size(), limits::kMaxReportMetrics);
    out.map(metrics.size());
    for (const auto& [metric, value] : metrics) {
      out.text(name, metric, limits::kMaxNameBytes);
      out.float64(value);
    }
  }
  static void read(BodyReader& in, const char* name, LastMetrics& metrics) {
    const std::size_t count = in.enter_map(name, limits::kMaxReportMetrics);
    for (std::size_t i = 0; i < count && in.ok(); ++i) {
      const std::string_view metric = in.text(name, limits::kMaxNameBytes);
      const double value = in.floating(name);
      if (!metrics.emplace(metric, value).second) {
        in.fail(ErrorCode::malformed, name, "has an entry twice");
      }
    }
    in.leave();
  }
};

template <>
struct Schema<Artifact> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.required(1, "name", s.name, kPath);
    f.optional(2, "path", s.path, kPath);
    f.optional(3, "size_bytes", s.size_bytes);
    f.optional(4, "sha256", s.sha256, up_to_bytes(limits::kSha256HexBytes));
    f.optional(5, "stored", s.stored);
    f.optional(6, "shared", s.shared);
    f.optional(7, "problem", s.problem, prose());
  }
};

template <>
struct Schema<RunReport> : MapShape {
  template <class Fields, class Struct>
  static void fields(Fields& f, Struct& s) {
    f.optional(1, "node", s.node, kName);
    f.optional(2, "directory", s.directory, kPath);
    f.optional(3, "stdout_tail", s.stdout_tail, kTail);
    f.optional(4, "stderr_tail", s.stderr_tail, kTail);
    f.optional(5, "stdout_bytes", s.stdout_bytes);
    f.optional(6, "stderr_bytes", s.stderr_bytes);
    f.optional(7, "artifacts", s.artifacts, up_to_items(limits::kMaxArtifacts));
    f.optional(8, "metrics", s.metrics);
    f.optional(9, "value", s.value);
  }
};

tl::expected<Payload, Error> encode_report(const RunReport& report) {
  BodyWriter out;
  write_fields(out, report);
  if (!out.ok()) return tl::unexpected(*out.error());
  if (out.size() > limits::kMaxResultBytes) {
    return tl::unexpected(
        Error{ErrorCode::too_big,
              "report takes " + std::to_string(out.size()) +
                  " bytes, more than 1 MiB; write large results to a file of the task's directory",
              "report"});
  }
  return Payload(out.take_body());
}

tl::expected<RunReport, Error> decode_report(std::span<const std::byte> bytes) {
  if (bytes.size() > limits::kMaxResultBytes) {
    return tl::unexpected(Error{ErrorCode::too_big, "report has more than 1 MiB", "report"});
  }
  try {
    BodyReader in(bytes, {}, kMaxPayloadDepth + limits::kMaxBodyDepth);
    RunReport report;
    read_fields(in, report);
    in.finish();
    if (!in.ok()) return tl::unexpected(*in.error());
    return report;
  } catch (const std::exception& failure) {
    return tl::unexpected(
        Error{ErrorCode::too_big, "report " + std::string(failure.what()), "report"});
  }
}

}  // namespace taskpipe::protocol
