// Reading by description. Included by schema.hpp only.
#pragma once

namespace taskpipe::protocol {

template <class T>
void read_value(BodyReader& in, const char* name, T& value, Bound bound);

// Reads the value of one key of a map, if the description knows the key.
struct FieldReader {
  BodyReader& in;
  std::uint64_t key = 0;
  bool known = false;

  template <class T>
  void required(std::uint8_t field, const char* name, T& value, Bound bound = {}) {
    if (field != key) return;
    known = true;
    read_value(in, name, value, bound);
  }
  template <class T>
  void optional(std::uint8_t field, const char* name, T& value, Bound bound = {}) {
    if constexpr (kIsOptional<T>) {
      if (field == key) required(field, name, value.emplace(), bound);
    } else {
      required(field, name, value, bound);
    }
  }
  void percent(std::uint8_t field, const char* name, double& value) {
    if (field != key) return;
    known = true;
    read_percent(in, name, value);
  }
  static void read_percent(BodyReader& in, const char* name, double& value) {
    value = in.floating(name);
    if (!is_legal_percent(value)) in.fail(ErrorCode::invalid, name, "is not within 0 and 100");
  }
};

// After a map: were all required keys there?
struct RequiredChecker {
  BodyReader& in;
  std::uint64_t seen = 0;

  template <class T>
  void required(std::uint8_t field, const char* name, const T&, Bound = {}) {
    static_assert(kMaxFieldKey < 64);
    if ((seen >> field & 1U) == 0) in.fail(ErrorCode::malformed, name, "is missing");
  }
  template <class T>
  void optional(std::uint8_t, const char*, const T&, Bound = {}) {}
  void percent(std::uint8_t, const char*, double) {}
};

// The elements of a tuple, in order.
struct ElementReader {
  BodyReader& in;

  template <class T>
  void element(const char* name, T& value, Bound bound = {}) {
    read_value(in, name, value, bound);
  }
  void percent_element(const char* name, double& value) {
    if (!in.take_nil()) FieldReader::read_percent(in, name, value);
  }
};

template <class T>
void read_map(BodyReader& in, T& value) {
  const std::size_t pairs = in.enter_map("", kMaxMapPairs);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < pairs && in.ok(); ++i) {
    const std::uint64_t key = in.uint("key");
    if (key <= kMaxFieldKey) {
      if ((seen >> key & 1U) != 0) {
        in.fail(ErrorCode::malformed, "", "has the key " + std::to_string(key) + " twice");
      }
      seen |= std::uint64_t{1} << key;
    }
    if (!in.ok()) break;
    FieldReader reader{in, key};
    Schema<T>::fields(reader, value);
    if (!reader.known) in.skip("");
  }
  in.leave();
  if (!in.ok()) return;
  RequiredChecker checker{in, seen};
  Schema<T>::fields(checker, value);
}

template <class T>
void read_tuple(BodyReader& in, T& value) {
  FieldCounter counter;
  Schema<T>::fields(counter, value);
  const std::size_t count = in.enter_array("", kMaxMapPairs);
  if (in.ok() && count < counter.count) {
    in.fail(
        ErrorCode::malformed, "",
        "has " + std::to_string(count) + " elements, but needs " + std::to_string(counter.count));
  }
  ElementReader reader{in};
  Schema<T>::fields(reader, value);
  for (std::size_t i = counter.count; i < count && in.ok(); ++i) in.skip("");
  in.leave();
}

template <class T>
void read_fields(BodyReader& in, T& value) {
  if constexpr (Schema<T>::kIsMap) {
    read_map(in, value);
  } else {
    read_tuple(in, value);
  }
  if (!in.ok()) return;
  if constexpr (Settled<T>) {
    if (const auto defect = Schema<T>::settle(value)) {
      in.fail(defect->code, defect->field, defect->why);
    }
  }
  if constexpr (Checked<T>) {
    if (const auto defect = Schema<T>::check(value)) {
      in.fail(defect->code, defect->field, defect->why);
    }
  }
}

inline void read_metrics(BodyReader& in, const char* name, Metrics& metrics, Bound bound) {
  const std::size_t count = in.enter_map(name, bound.items);
  const PathScope scope(in.path(), name);
  metrics.reserve(count);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    const std::string_view metric = in.text("name", bound.bytes);
    const bool repeated = std::any_of(metrics.begin(), metrics.end(),
                                      [&](const auto& entry) { return entry.first == metric; });
    if (repeated) in.fail(ErrorCode::malformed, metric, "is there twice");
    const double number = in.floating("value");
    metrics.emplace_back(metric, number);
  }
  in.leave();
}

template <class T>
void read_list(BodyReader& in, const char* name, std::vector<T>& list, Bound bound) {
  const std::size_t count = in.enter_array(name, bound.items);
  const PathScope scope(in.path(), name);
  list.reserve(count);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    in.path().set_index(i);
    read_value(in, "", list.emplace_back(), bound.of_each());
  }
  in.leave();
}

template <class Id>
Id read_id(BodyReader& in, const char* name) {
  const FrameView bytes = in.bin(name, kUniqueIdBytes);
  if (bytes.size() == kUniqueIdBytes) return Id::from_bytes(bytes.first<kUniqueIdBytes>());
  if (in.ok()) in.fail(ErrorCode::malformed, name, "is not 16 bytes long");
  return {};
}

template <class T>
void read_value(BodyReader& in, const char* name, T& value, Bound bound) {
  if constexpr (std::is_same_v<T, bool>) {
    value = in.boolean(name);
  } else if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(in.uint(name, static_cast<std::uint64_t>(kLastOf<T>)));
  } else if constexpr (std::is_unsigned_v<T>) {
    value = static_cast<T>(in.uint(name, std::numeric_limits<T>::max()));
  } else if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
    value =
        static_cast<T>(in.sint(name, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (kIsCounter<T>) {
    using Rep = typename T::rep;
    value = T(static_cast<Rep>(in.uint(name, std::numeric_limits<Rep>::max())));
  } else if constexpr (kIsUniqueId<T>) {
    value = read_id<T>(in, name);
  } else if constexpr (std::is_same_v<T, ParamsHash>) {
    const auto id = read_id<UniqueId<ParamsHash>>(in, name);
    value = ParamsHash{id.high(), id.low()};
  } else if constexpr (std::is_same_v<T, Placement>) {
    value.worker = read_id<PeerUuid>(in, name);
  } else if constexpr (std::is_same_v<T, Dependencies>) {
    read_list(in, name, value.after, up_to_items(limits::kMaxDependenciesPerTask));
  } else if constexpr (std::is_same_v<T, WallTime>) {
    value.unix_ms = in.sint(name);
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = in.text(name, bound.bytes);
  } else if constexpr (std::is_same_v<T, Payload>) {
    value = in.payload(name, bound.bytes);
  } else if constexpr (std::is_same_v<T, Metrics>) {
    read_metrics(in, name, value, bound);
  } else if constexpr (kIsVector<T>) {
    read_list(in, name, value, bound);
  } else if constexpr (std::is_same_v<T, TaskSpecPtr>) {
    auto spec = std::make_shared<TaskSpec>();
    read_value(in, name, *spec, bound);
    value = std::move(spec);
  } else if constexpr (CodesItself<T>) {
    Schema<T>::read(in, name, value);
  } else {
    static_assert(Described<T>, "describe it in a Schema");
    const PathScope scope(in.path(), name);
    read_fields(in, value);
  }
}

}  // namespace taskpipe::protocol
