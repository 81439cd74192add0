// The two directions of the record codec: one list of fields (record_codec.cpp) is walked by an
// Encoder or by a Decoder. Internal to the codec.
#pragma once

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "broker/core/record.hpp"
#include "broker/journal/byte_buffer.hpp"

namespace taskpipe::broker::codec {

// What `fields` accepts: T as it is when decoded, const when encoded.
template <class T, class U>
concept Is = std::same_as<std::remove_const_t<T>, U>;

// The one that a coder meets behind a pointer; the others are found by their arguments.
void fields(auto& c, Is<TaskSpec> auto& s);

// Enumerations on disk, with the last value that is known.
[[nodiscard]] constexpr TaskState last_of(TaskState) { return kLastTaskState; }
[[nodiscard]] constexpr OnFailure last_of(OnFailure) { return kLastOnFailure; }
[[nodiscard]] constexpr PastKind last_of(PastKind) { return kLastPastKind; }
[[nodiscard]] constexpr record::RequeueCause last_of(record::RequeueCause) {
  return record::kLastRequeueCause;
}

[[nodiscard]] inline std::uint64_t difference(const TaskId& id, const TaskId& previous) {
  return zigzag(static_cast<std::int64_t>(id.low() - previous.low()));
}
// Whether `id` is written by its difference, and in no other way.
[[nodiscard]] inline bool is_near(const TaskId& id, const TaskId& previous) {
  return id.high() == previous.high() &&
         difference(id, previous) != std::numeric_limits<std::uint64_t>::max();
}

class Encoder {
 public:
  explicit Encoder(ByteBuffer& out) : out_(out) {}

  void operator()(bool value) { out_.put_byte(value ? 1 : 0); }
  void operator()(std::uint32_t value) { out_.put_varint(value); }
  void operator()(std::uint64_t value) { out_.put_varint(value); }
  void operator()(std::int32_t value) { out_.put_varint(zigzag(value)); }
  void operator()(WallTime value) { out_.put_varint(zigzag(value.unix_ms)); }
  void operator()(const std::string& text) {
    out_.put_varint(text.size());
    out_.put_bytes(std::as_bytes(std::span(text)));
  }
  void operator()(const Payload& payload) {
    out_.put_varint(payload.size());
    out_.put_bytes(payload.bytes());
  }
  void operator()(const ParamsHash& hash) {
    out_.put_fixed64(hash.high);
    out_.put_fixed64(hash.low);
  }
  template <class Tag, class Rep>
  void operator()(StrongId<Tag, Rep> id) {
    out_.put_varint(id.value());
  }
  template <class Tag>
  void operator()(const UniqueId<Tag>& id) {
    out_.put_fixed64(id.high());
    out_.put_fixed64(id.low());
  }
  void operator()(const TaskId& id) {
    if (is_near(id, previous_task_)) {
      out_.put_varint(difference(id, previous_task_) + 1);
    } else {
      out_.put_varint(0);
      out_.put_fixed64(id.high());
      out_.put_fixed64(id.low());
    }
    previous_task_ = id;
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void operator()(Enum value) {
    assert(value <= last_of(value));
    out_.put_byte(static_cast<std::uint8_t>(value));
  }
  // Two small enumerations in one byte: most outcomes are written by the million.
  void pack(TaskState state, FailureClass failure) {
    assert(state <= kLastTaskState && failure <= kLastFailureClass);
    out_.put_byte(static_cast<std::uint8_t>(static_cast<unsigned>(state) |
                                            (static_cast<unsigned>(failure) << 4U)));
  }
  void index(std::uint32_t value, [[maybe_unused]] std::size_t size) {
    assert(value < size);
    out_.put_varint(value);
  }
  // A bool, and what later versions added, a bit for each: absent while it says nothing, so that
  // what an earlier version wrote still reads. `Extra` has a `parts(coder)` and an `is_empty()`.
  template <class... Extra>
  void flagged(bool first, Extra... extra) {
    unsigned flags = first ? 1U : 0U;
    unsigned bit = 1;
    ((bit <<= 1U, flags |= extra.is_empty() ? 0U : bit), ...);
    out_.put_byte(static_cast<std::uint8_t>(flags));
    (flagged_part(extra), ...);
  }
  template <class T>
  void operator()(const std::optional<T>& value) {
    (*this)(value.has_value());
    if (value) (*this)(*value);
  }
  void operator()(const TaskSpecPtr& spec) {
    assert(spec != nullptr);
    fields(*this, *spec);
  }
  template <class T>
  void operator()(const std::vector<T>& list) {
    list_of(list, [this](const T& item) { (*this)(item); });
  }
  template <class T, class Each>
  void list_of(const std::vector<T>& list, Each each) {
    out_.put_varint(list.size());
    for (const T& item : list) each(item);
  }
  // One element for each of another list, whose length says it all.
  template <class T>
  void list_as_long_as(const std::vector<T>& list, [[maybe_unused]] std::size_t size) {
    assert(list.size() == size);
    for (const T& item : list) (*this)(item);
  }
  template <class T>
  requires std::is_class_v<T>
  void operator()(const T& value) { fields(*this, value); }

 private:
  template <class Extra>
  void flagged_part(const Extra& extra) {
    if (!extra.is_empty()) extra.parts(*this);
  }

  ByteBuffer& out_;
  TaskId previous_task_;
};

class Decoder {
 public:
  explicit Decoder(ByteReader& in) : in_(in) {}

  void operator()(bool& value) {
    const std::uint8_t byte = in_.take_byte();
    if (byte > 1) in_.fail();
    value = byte == 1;
  }
  void operator()(std::uint32_t& value) { value = take_narrow<std::uint32_t>(); }
  void operator()(std::uint64_t& value) { value = in_.take_varint(); }
  void operator()(std::int32_t& value) {
    const std::int64_t wide = unzigzag(in_.take_varint());
    if (wide < std::numeric_limits<std::int32_t>::min() ||
        wide > std::numeric_limits<std::int32_t>::max()) {
      in_.fail();
    }
    value = static_cast<std::int32_t>(wide);
  }
  void operator()(WallTime& value) { value.unix_ms = unzigzag(in_.take_varint()); }
  void operator()(std::string& text) {
    const auto bytes = in_.take_bytes(in_.take_varint());
    text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void operator()(Payload& payload) { payload = Payload(in_.take_bytes(in_.take_varint())); }
  void operator()(ParamsHash& hash) {
    hash.high = in_.take_fixed64();
    hash.low = in_.take_fixed64();
  }
  template <class Tag, class Rep>
  void operator()(StrongId<Tag, Rep>& id) {
    id = StrongId<Tag, Rep>(take_narrow<Rep>());
  }
  template <class Tag>
  void operator()(UniqueId<Tag>& id) {
    const std::uint64_t high = in_.take_fixed64();
    id = UniqueId<Tag>(high, in_.take_fixed64());
  }
  void operator()(TaskId& id) {
    const std::uint64_t step = in_.take_varint();
    if (step == 0) {
      const std::uint64_t high = in_.take_fixed64();
      id = TaskId(high, in_.take_fixed64());
      if (is_near(id, previous_task_)) in_.fail();
    } else {
      id = TaskId(previous_task_.high(),
                  previous_task_.low() + static_cast<std::uint64_t>(unzigzag(step - 1)));
    }
    previous_task_ = id;
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void operator()(Enum& value) { value = checked(in_.take_byte(), last_of(value)); }
  void pack(TaskState& state, FailureClass& failure) {
    const unsigned byte = in_.take_byte();
    state = checked(byte & 0xfU, kLastTaskState);
    failure = checked(byte >> 4U, kLastFailureClass);
  }
  template <class... Extra>
  void flagged(bool& first, Extra... extra) {
    const unsigned flags = in_.take_byte();
    if (flags >= 2U << sizeof...(extra)) in_.fail();
    first = (flags & 1U) != 0;
    unsigned bit = 1;
    ((bit <<= 1U, flagged_part((flags & bit) != 0, extra)), ...);
  }
  void index(std::uint32_t& value, std::size_t size) {
    value = take_narrow<std::uint32_t>();
    if (value >= size) in_.fail();
  }
  template <class T>
  void operator()(std::optional<T>& value) {
    bool present = false;
    (*this)(present);
    if (present && !in_.failed()) (*this)(value.emplace());
  }
  void operator()(TaskSpecPtr& spec) {
    auto decoded = std::make_shared<TaskSpec>();
    fields(*this, *decoded);
    spec = std::move(decoded);
  }
  template <class T>
  void operator()(std::vector<T>& list) {
    list_of(list, [this](T& item) { (*this)(item); });
  }
  // Every element takes at least a byte, so that a count beyond what is left is a lie. Even an
  // honest-looking one is not trusted with more than kReserveItems at once.
  template <class T, class Each>
  void list_of(std::vector<T>& list, Each each) {
    constexpr std::uint64_t kReserveItems = 4096;
    const std::uint64_t count = in_.take_varint();
    if (count > in_.left()) in_.fail();
    if (in_.failed()) return;
    list.reserve(static_cast<std::size_t>(count < kReserveItems ? count : kReserveItems));
    for (std::uint64_t i = 0; i < count && !in_.failed(); ++i) each(list.emplace_back());
  }
  template <class T>
  void list_as_long_as(std::vector<T>& list, std::size_t size) {
    for (std::size_t i = 0; i < size && !in_.failed(); ++i) (*this)(list.emplace_back());
  }
  template <class T>
  requires std::is_class_v<T>
  void operator()(T& value) { fields(*this, value); }

 private:
  template <class Extra>
  void flagged_part(bool present, const Extra& extra) {
    if (!present || in_.failed()) return;
    extra.parts(*this);
    if (extra.is_empty()) in_.fail();  // one spelling of everything
  }
  template <class Integer>
  Integer take_narrow() {
    const std::uint64_t wide = in_.take_varint();
    if (wide > std::numeric_limits<Integer>::max()) {
      in_.fail();
      return 0;
    }
    return static_cast<Integer>(wide);
  }
  template <class Enum>
  Enum checked(unsigned value, Enum last) {
    if (value <= static_cast<unsigned>(last)) return static_cast<Enum>(value);
    in_.fail();
    return Enum{};
  }

  ByteReader& in_;
  TaskId previous_task_;
};

}  // namespace taskpipe::broker::codec
