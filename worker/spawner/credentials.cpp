#include "worker/spawner/credentials.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace taskpipe::worker {
namespace {

bool take_number(std::string_view& text, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string to_text(const Credentials& credentials) {
  std::string text = std::to_string(credentials.uid) + ":" + std::to_string(credentials.gid) + ":";
  for (std::size_t i = 0; i < credentials.groups.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(credentials.groups[i]);
  }
  return text;
}

bool has_roots_group(const Credentials& credentials) {
  return std::find(credentials.groups.begin(), credentials.groups.end(), 0U) !=
         credentials.groups.end();
}

std::optional<Credentials> parse_credentials(std::string_view text) {
  Credentials out;
  if (!take_number(text, out.uid) || !take(text, ':')) return std::nullopt;
  if (!take_number(text, out.gid) || !take(text, ':')) return std::nullopt;
  while (!text.empty()) {
    if (!out.groups.empty() && !take(text, ',')) return std::nullopt;
    if (!take_number(text, out.groups.emplace_back())) return std::nullopt;
  }
  if (out.uid == 0 || out.gid == 0 || has_roots_group(out)) return std::nullopt;
  return out;
}

// The calls of the kernel: the C library's tell other threads by signals, which a child of vfork
// must not.
int become(const Credentials& credentials) {
  const auto gid = credentials.gid;
  const auto uid = credentials.uid;
  if (::syscall(SYS_setgroups, credentials.groups.size(), credentials.groups.data()) != 0 ||
      ::syscall(SYS_setresgid, gid, gid, gid) != 0 ||
      ::syscall(SYS_setresuid, uid, uid, uid) != 0) {
    return errno;
  }
  return 0;
}

}  // namespace taskpipe::worker
