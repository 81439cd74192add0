#include "worker/spawner/spawn_protocol.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

namespace taskpipe::worker {
namespace {

constexpr std::size_t kRetainedBytes = 256U << 10U;  // buffer kept between frames

struct Header {
  std::uint32_t body_bytes = 0;
  std::uint32_t type = 0;  // index in SpawnMessage
};

// Both directions of every message are described once, by `visit_fields`; Writer, Reader and Sizer
// give it its meaning.
class Sizer {
 public:
  template <class T>
  void operator()(const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      bytes_ += sizeof(std::uint32_t) + value.size();
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      bytes_ += sizeof(std::uint32_t);
      for (const auto& text : value) (*this)(text);
    } else {
      bytes_ += sizeof(T);
    }
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  template <class T>
  void operator()(const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      (*this)(static_cast<std::uint32_t>(value.size()));
      out_.append(value);
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      (*this)(static_cast<std::uint32_t>(value.size()));
      for (const auto& text : value) (*this)(text);
    } else {
      static_assert(std::is_trivially_copyable_v<T>);
      std::array<char, sizeof(T)> raw{};
      std::memcpy(raw.data(), &value, sizeof(T));
      out_.append(raw.data(), raw.size());
    }
  }

 private:
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  [[nodiscard]] bool complete() const { return ok_ && in_.empty(); }

  template <class T>
  void operator()(T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      std::uint32_t size = 0;
      (*this)(size);
      if (!take(size)) return;
      value.assign(in_.substr(0, size));
      in_.remove_prefix(size);
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      std::uint32_t count = 0;
      (*this)(count);
      if (count > kMaxSpawnStrings) ok_ = false;
      for (std::uint32_t i = 0; ok_ && i < count; ++i) (*this)(value.emplace_back());
    } else if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t raw = 0;
      (*this)(raw);
      if (raw > 1) ok_ = false;
      value = raw == 1;
    } else if constexpr (std::is_same_v<T, SpawnStage>) {
      take_up_to(kLastSpawnStage, value);
    } else if constexpr (std::is_same_v<T, ContainerStart>) {
      take_up_to(kLastContainerStart, value);
    } else {
      static_assert(std::is_integral_v<T>);
      if (!take(sizeof(T))) return;
      std::memcpy(&value, in_.data(), sizeof(T));
      in_.remove_prefix(sizeof(T));
    }
  }

 private:
  bool take(std::size_t bytes) { return ok_ = ok_ && in_.size() >= bytes; }
  template <class Enum>
  void take_up_to(Enum last, Enum& value) {
    std::uint8_t raw = 0;
    (*this)(raw);
    if (raw > static_cast<std::uint8_t>(last)) ok_ = false;
    if (ok_) value = static_cast<Enum>(raw);
  }

  std::string_view in_;
  bool ok_ = true;
};

// `Message` is deduced with its constness, so that the same text serves writing and reading.
template <class Visitor, class Message>
void visit_fields(Visitor& visit, Message& m) {
  using M = std::remove_const_t<Message>;
  if constexpr (std::is_same_v<M, spawn_message::Spawn>) {
    visit(m.run), visit(m.argv), visit(m.environment), visit(m.directory);
    visit(m.memory_limit_bytes), visit(m.cpu_limit_s), visit(m.open_files), visit(m.niceness);
    visit(m.inspection), visit(m.removal);
  } else if constexpr (std::is_same_v<M, spawn_message::Stop>) {
    visit(m.run), visit(m.signal), visit(m.grace_ms);
  } else if constexpr (std::is_same_v<M, spawn_message::Ready>) {
    visit(m.version), visit(m.memory_control);
  } else if constexpr (std::is_same_v<M, spawn_message::Spawned>) {
    visit(m.run), visit(m.pid), visit(m.age_us);
  } else if constexpr (std::is_same_v<M, spawn_message::SpawnFailed>) {
    visit(m.run), visit(m.stage), visit(m.error), visit(m.detail);
  } else {
    static_assert(std::is_same_v<M, spawn_message::Exited>);
    visit(m.run), visit(m.wait_status), visit(m.wall_us), visit(m.user_us), visit(m.system_us);
    visit(m.max_rss_bytes), visit(m.leftovers_killed), visit(m.out_of_memory);
    visit(m.guard_lost), visit(m.container_started), visit(m.container_left);
  }
}

template <std::size_t I = 0>
std::optional<SpawnMessage> decode_body(std::uint32_t type, std::string_view body) {
  if constexpr (I < std::variant_size_v<SpawnMessage>) {
    if (type != I) return decode_body<I + 1>(type, body);
    std::variant_alternative_t<I, SpawnMessage> message;
    Reader reader(body);
    visit_fields(reader, message);
    if (!reader.complete()) return std::nullopt;
    return message;
  } else {
    return std::nullopt;
  }
}

Header read_header(std::string_view bytes) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

}  // namespace

std::string_view name_of(SpawnStage stage) {
  switch (stage) {
    case SpawnStage::none: return "none";
    case SpawnStage::guard: return "guard";
    case SpawnStage::cgroup: return "cgroup";
    case SpawnStage::limits: return "limits";
    case SpawnStage::output: return "output";
    case SpawnStage::directory: return "directory";
    case SpawnStage::orphaned: return "orphaned";
    case SpawnStage::exec: return "exec";
    case SpawnStage::interpreter: return "interpreter";
    case SpawnStage::user: return "user";
  }
  return "unknown";
}

std::size_t encoded_bytes(const spawn_message::Spawn& spawn) {
  Sizer sizer;
  visit_fields(sizer, spawn);
  return sizeof(Header) + sizer.bytes();
}

std::string encode(const SpawnMessage& message) {
  Sizer sizer;
  std::visit([&](const auto& m) { visit_fields(sizer, m); }, message);
  std::string frame;
  frame.reserve(sizeof(Header) + sizer.bytes());
  Writer writer(frame);
  writer(static_cast<std::uint32_t>(sizer.bytes()));
  writer(static_cast<std::uint32_t>(message.index()));
  std::visit([&](const auto& m) { visit_fields(writer, m); }, message);
  return frame;
}

std::optional<SpawnMessage> decode_frame(std::string_view frame) {
  if (frame.size() < sizeof(Header)) return std::nullopt;
  const Header header = read_header(frame);
  frame.remove_prefix(sizeof(Header));
  if (header.body_bytes != frame.size()) return std::nullopt;
  return decode_body(header.type, frame);
}

std::span<char> FrameReader::space(std::size_t at_least) {
  if (begin_ == used_) {
    begin_ = used_ = 0;
    // The spawner forks: what it holds on to, every guard pays for.
    if (buffer_.size() > kRetainedBytes) buffer_ = {};
  }
  if (buffer_.size() - used_ < at_least && begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, used_ - begin_);
    used_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() - used_ < at_least) buffer_.resize(used_ + at_least);
  return {buffer_.data() + used_, buffer_.size() - used_};
}

FrameReader::Status FrameReader::next(SpawnMessage& out) {
  const std::string_view pending(buffer_.data() + begin_, used_ - begin_);
  if (pending.size() < sizeof(Header)) return Status::need_more;
  const Header header = read_header(pending);
  if (header.body_bytes > kMaxSpawnFrameBytes - sizeof(Header)) return Status::corrupt;
  const std::size_t frame_bytes = sizeof(Header) + header.body_bytes;
  if (pending.size() < frame_bytes) return Status::need_more;
  auto message = decode_frame(pending.substr(0, frame_bytes));
  if (!message) return Status::corrupt;
  out = std::move(*message);
  begin_ += frame_bytes;
  return Status::message;
}

}  // namespace taskpipe::worker
