// Writing by description. Included by schema.hpp only.
#pragma once

namespace taskpipe::protocol {

template <class T>
void write_value(BodyWriter& out, const char* name, const T& value, Bound bound);

// Second pass over a description: keys and values of a map, or values of a tuple.
struct FieldWriter {
  BodyWriter& out;

  template <class T>
  void required(std::uint8_t key, const char* name, const T& value, Bound bound = {}) {
    out.uint(key);
    write_value(out, name, value, bound);
  }
  template <class T>
  void optional(std::uint8_t key, const char* name, const T& value, Bound bound = {}) {
    if (is_default(value)) return;
    out.uint(key);
    if constexpr (kIsOptional<T>) {
      write_value(out, name, *value, bound);
    } else {
      write_value(out, name, value, bound);
    }
  }
  void percent(std::uint8_t key, const char* name, double value) {
    if (!is_known_percent(value)) return;
    out.uint(key);
    percent_element(name, value);
  }
  template <class T>
  void element(const char* name, const T& value, Bound bound = {}) {
    write_value(out, name, value, bound);
  }
  void percent_element(const char* name, double value) {
    if (!is_known_percent(value)) return out.nil();
    if (!is_legal_percent(value)) out.fail(ErrorCode::invalid, name, "is not within 0 and 100");
    out.float64(value);
  }
};

template <class T>
void write_fields(BodyWriter& out, const T& value) {
  if constexpr (Checked<T>) {
    if (const auto defect = Schema<T>::check(value)) {
      out.fail(defect->code, defect->field, defect->why);
    }
  }
  FieldCounter counter;
  Schema<T>::fields(counter, value);
  if constexpr (Schema<T>::kIsMap) {
    out.map(counter.count);
  } else {
    out.array(counter.count);
  }
  FieldWriter writer{out};
  Schema<T>::fields(writer, value);
}

inline void write_metrics(BodyWriter& out, const char* name, const Metrics& metrics, Bound bound) {
  out.check_count(name, metrics.size(), bound.items);
  const PathScope scope(out.path(), name);
  out.map(metrics.size());
  for (const auto& [metric, value] : metrics) {
    out.text("name", metric, bound.bytes);
    out.float64(value);
  }
}

template <class T>
void write_list(BodyWriter& out, const char* name, const std::vector<T>& list, Bound bound) {
  out.check_count(name, list.size(), bound.items);
  const PathScope scope(out.path(), name);
  out.array(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    out.path().set_index(i);
    write_value(out, "", list[i], bound.of_each());
  }
}

template <class T>
void write_value(BodyWriter& out, const char* name, const T& value, Bound bound) {
  if constexpr (std::is_same_v<T, bool>) {
    out.boolean(value);
  } else if constexpr (std::is_enum_v<T>) {
    out.uint(static_cast<std::uint64_t>(value));
  } else if constexpr (std::is_unsigned_v<T>) {
    out.uint(value);
  } else if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
    out.sint(value);
  } else if constexpr (kIsCounter<T>) {
    out.uint(value.value());
  } else if constexpr (kIsUniqueId<T>) {
    out.bin(value.bytes());
  } else if constexpr (std::is_same_v<T, ParamsHash>) {
    out.bin(UniqueId<ParamsHash>(value.high, value.low).bytes());
  } else if constexpr (std::is_same_v<T, Placement>) {
    out.bin(value.worker.bytes());
  } else if constexpr (std::is_same_v<T, Dependencies>) {
    write_list(out, name, value.after, up_to_items(limits::kMaxDependenciesPerTask));
  } else if constexpr (std::is_same_v<T, WallTime>) {
    out.sint(value.unix_ms);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (bound.is_prose) {
      out.prose(value, bound.bytes);
    } else {
      out.text(name, value, bound.bytes);
    }
  } else if constexpr (std::is_same_v<T, Payload>) {
    out.payload(name, value, bound.bytes);
  } else if constexpr (std::is_same_v<T, Metrics>) {
    write_metrics(out, name, value, bound);
  } else if constexpr (kIsVector<T>) {
    write_list(out, name, value, bound);
  } else if constexpr (std::is_same_v<T, TaskSpecPtr>) {
    assert(value != nullptr);
    write_value(out, name, *value, bound);
  } else if constexpr (CodesItself<T>) {
    Schema<T>::write(out, name, value);
  } else {
    static_assert(Described<T>, "describe it in a Schema");
    const PathScope scope(out.path(), name);
    write_fields(out, value);
  }
}

}  // namespace taskpipe::protocol
