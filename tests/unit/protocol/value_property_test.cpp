// Any value survives the wire. On its own, since RapidCheck takes long to compile.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "common/protocol/value_codec.hpp"

namespace rc {

template <>
struct Arbitrary<taskpipe::Value> {
  static Gen<taskpipe::Value> arbitrary() { return of_depth(4); }

  static Gen<std::string> text() { return gen::map(gen::string<std::string>(), ascii); }
  static std::string ascii(std::string text) {
    for (char& c : text) c = static_cast<char>(static_cast<unsigned char>(c) & 0x7fU);
    return text;
  }

  // Trees of a hundred children at every level would not end.
  template <class Container, class Element>
  static Gen<Container> few(Gen<Element> element) {
    return gen::mapcat(gen::inRange<std::size_t>(0, 5), [element](std::size_t count) {
      return gen::container<Container>(count, element);
    });
  }

  static Gen<taskpipe::Value> of_depth(int depth) {
    using taskpipe::Value;
    const auto scalar = gen::oneOf(
        gen::just(Value()), gen::construct<Value>(gen::arbitrary<bool>()),
        gen::construct<Value>(gen::arbitrary<std::int64_t>()),
        gen::map(gen::suchThat(gen::arbitrary<double>(), [](double x) { return std::isfinite(x); }),
                 [](double x) { return Value(x); }),
        gen::map(text(), [](std::string t) { return Value(std::move(t)); }),
        gen::map(gen::string<std::string>(),
                 [](std::string t) { return Value(taskpipe::ValueBytes{std::move(t)}); }));
    if (depth == 0) return scalar;
    const auto list = gen::map(few<std::vector<Value>>(of_depth(depth - 1)),
                               [](std::vector<Value> v) { return Value(std::move(v)); });
    using Pairs = std::vector<std::pair<std::string, Value>>;
    const auto map = gen::map(few<Pairs>(gen::pair(text(), of_depth(depth - 1))), [](Pairs pairs) {
      taskpipe::ValueMap members;
      for (auto& [key, value] : pairs) members.emplace("k" + key, std::move(value));
      return Value(std::move(members));
    });
    return gen::weightedOneOf<Value>({{4, scalar}, {1, list}, {1, map}});
  }
};

}  // namespace rc

namespace taskpipe::protocol {
namespace {

RC_GTEST_PROP(ValueProperty, EveryFiniteValueSurvivesTheRoundTrip, (const Value& value)) {
  const auto encoded = encode_value(value, "value");
  RC_ASSERT(encoded.has_value());
  const auto decoded = decode_value(encoded->bytes());
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == value);
}

RC_GTEST_PROP(ValueProperty, CheckAndCodecAgree, (const Value& value)) {
  RC_ASSERT(check_value(value, "value").has_value() == !encode_value(value, "value").has_value());
}

}  // namespace
}  // namespace taskpipe::protocol
