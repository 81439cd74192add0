#include "common/protocol/value_codec.hpp"

#include <xxhash.h>

#include <exception>

#include "common/protocol/value_tree.hpp"

namespace taskpipe::protocol {
namespace {

constexpr const char* kParamsRoot = "params";
constexpr const char* kValueRoot = "value";

Error refusal(ErrorCode code, std::string_view field, std::string_view why) {
  return Error{code, std::string(field) + " " + std::string(why), std::string(field)};
}

tl::expected<Payload, Error> finish(BodyWriter& out, std::string_view root) {
  if (out.size() > limits::kMaxPayloadBytes) {
    return tl::unexpected(refusal(ErrorCode::too_big, root,
                                  "takes " + std::to_string(out.size()) +
                                      " bytes, more than 4 MiB; pass large data as a file"));
  }
  return Payload(out.take_body());
}

// Runs `read` on the payload's bytes and sees to what is left over.
template <class Tree, class Read>
tl::expected<Tree, Error> decode_tree(std::span<const std::byte> bytes, const char* root,
                                      Read read) {
  if (bytes.size() > limits::kMaxPayloadBytes) {
    return tl::unexpected(refusal(ErrorCode::too_big, root, "has more than 4 MiB"));
  }
  try {
    BodyReader in(bytes, {}, kMaxPayloadDepth);
    const PathScope scope(in.path(), root);
    ValueReader values(in);
    Tree tree;
    if (const std::optional<ValueDefect> defect = read(values, tree)) {
      return tl::unexpected(defect->under(root));
    }
    in.finish();
    if (!in.ok()) return tl::unexpected(*in.error());
    return tree;
  } catch (const std::exception& failure) {
    return tl::unexpected(refusal(ErrorCode::too_big, root, failure.what()));
  }
}

}  // namespace

tl::expected<Payload, Error> encode_params(const ValueMap& params) {
  BodyWriter out;
  if (const auto defect = ValueWriter(out).write_members(params, 1)) {
    return tl::unexpected(defect->under(kParamsRoot));
  }
  return finish(out, kParamsRoot);
}

tl::expected<ValueMap, Error> decode_params(std::span<const std::byte> bytes) {
  // Whoever has no params may send none.
  if (bytes.empty()) return ValueMap{};
  return decode_tree<ValueMap>(bytes, kParamsRoot, [](ValueReader& values, ValueMap& map) {
    return values.read_members(map, 1);
  });
}

tl::expected<Payload, Error> encode_value(const Value& value, std::string_view root) {
  BodyWriter out;
  if (const auto defect = ValueWriter(out).write(value)) {
    return tl::unexpected(defect->under(root));
  }
  return finish(out, root);
}

tl::expected<Value, Error> decode_value(std::span<const std::byte> bytes) {
  return decode_tree<Value>(bytes, kValueRoot,
                            [](ValueReader& values, Value& value) { return values.read(value); });
}

ParamsHash hash_params(const Payload& params) {
  const XXH128_hash_t hash = XXH3_128bits(params.bytes().data(), params.size());
  return ParamsHash{hash.high64, hash.low64};
}

}  // namespace taskpipe::protocol
