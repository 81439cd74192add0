#include "worker/shell/run_as.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "worker/shell/own_folder.hpp"
#include "worker/spawner/descriptor.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxEntryBytes = 1U << 20U;  // of the data base: groups list their members
constexpr int kMaxGroups = 65'536;                 // the kernel's NGROUPS_MAX

Error refusal(const std::string& text) {
  return {ErrorCode::invalid, "--run-as: " + text, "run-as"};
}

std::optional<std::uint32_t> number(const std::string& text) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end || value == UINT32_MAX) return std::nullopt;
  return value;
}

// One entry of the data base; `look` is a call of the getpwnam_r family.
template <class Entry, class Look>
std::optional<Entry> look_up(std::vector<char>& buffer, Look look) {
  buffer.resize(4096);
  Entry entry{};
  Entry* found = nullptr;
  while (look(&entry, &buffer, &found) == ERANGE && buffer.size() < kMaxEntryBytes) {
    buffer.resize(buffer.size() * 2);
  }
  return found != nullptr ? std::optional(entry) : std::nullopt;
}

// An account's name is looked for before its number, as chown(1) does.
std::optional<passwd> find_user(const std::string& text, std::vector<char>& buffer) {
  auto found = look_up<passwd>(buffer, [&](passwd* entry, std::vector<char>* into, passwd** out) {
    return ::getpwnam_r(text.c_str(), entry, into->data(), into->size(), out);
  });
  const auto uid = number(text);
  if (found || !uid) return found;
  return look_up<passwd>(buffer, [&](passwd* entry, std::vector<char>* into, passwd** out) {
    return ::getpwuid_r(*uid, entry, into->data(), into->size(), out);
  });
}

std::optional<std::uint32_t> find_group(const std::string& text) {
  std::vector<char> buffer;
  const auto found =
      look_up<group>(buffer, [&](group* entry, std::vector<char>* into, group** out) {
        return ::getgrnam_r(text.c_str(), entry, into->data(), into->size(), out);
      });
  return found ? std::optional<std::uint32_t>(found->gr_gid) : number(text);
}

std::vector<std::uint32_t> groups_of(const std::string& user, std::uint32_t gid) {
  std::vector<gid_t> groups(64);
  auto count = static_cast<int>(groups.size());
  while (::getgrouplist(user.c_str(), gid, groups.data(), &count) < 0 && count < kMaxGroups) {
    groups.resize(groups.size() * 2);
    count = static_cast<int>(groups.size());
  }
  groups.resize(static_cast<std::size_t>(count));
  return {groups.begin(), groups.end()};
}

// Root looks with the user's eyes: the calling thread only, and without its capabilities meanwhile.
bool can_enter(const Credentials& user, const fs::path& folder) {
  ::setfsgid(user.gid);
  ::setfsuid(user.uid);
  const Descriptor inside(::open((folder / ".").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
  return inside.valid();
}

Error cannot_prepare(const fs::path& path, int error) {
  return refusal("cannot prepare '" + path.string() +
                 "': " + std::generic_category().message(error));
}

// Made if it is not there. A link in its place is not followed.
tl::expected<Descriptor, Error> open_folder(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return tl::unexpected(cannot_prepare(path, errno));
  }
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder.valid()) return tl::unexpected(cannot_prepare(path, errno));
  return folder;
}

// What was there before is taken over only if nobody else could have put anything into it.
tl::expected<void, Error> make_folder(const fs::path& path, mode_t mode) {
  const auto folder = open_folder(path, mode);
  if (!folder) return tl::unexpected(folder.error());
  if (auto own = check_own_folder(*folder, path); !own) return own;
  if (::fchmod(folder->get(), mode) != 0) return tl::unexpected(cannot_prepare(path, errno));
  return {};
}

// The user's, in a folder that is the worker's alone, so that it cannot be exchanged.
tl::expected<void, Error> make_home(const fs::path& path, const Credentials& user) {
  const auto folder = open_folder(path, 0700);
  if (!folder) return tl::unexpected(folder.error());
  if (::fchmod(folder->get(), 0700) != 0 || ::fchown(folder->get(), user.uid, user.gid) != 0) {
    return tl::unexpected(cannot_prepare(path, errno));
  }
  return {};
}

bool is_own_folder(const std::string& path, std::uint32_t uid) {
  struct stat status {};
  return !path.empty() && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == uid;
}

}  // namespace

tl::expected<RunAs, Error> find_run_as(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string user = text.substr(0, colon);
  std::vector<char> buffer;
  const auto account = find_user(user, buffer);
  RunAs run_as;
  if (account) {
    run_as.name = static_cast<const char*>(account->pw_name);
    run_as.home = static_cast<const char*>(account->pw_dir);
    run_as.credentials.uid = account->pw_uid;
    run_as.credentials.gid = account->pw_gid;
  } else if (const auto uid = number(user)) {
    if (*uid != 0 && colon == std::string::npos) {
      return tl::unexpected(refusal("no account has the number " + user +
                                    ", so that its group must be given: --run-as " + user +
                                    ":GROUP"));
    }
    run_as.name = user;
    run_as.credentials.uid = *uid;
  } else {
    return tl::unexpected(refusal("there is no user '" + user +
                                  "' on this host; make one (useradd --system) or name another"));
  }
  if (run_as.credentials.uid == 0) {
    return tl::unexpected(refusal("'" + user +
                                  "' is root, from whom tools are to be kept away; "
                                  "name a user who owns nothing else"));
  }
  if (colon != std::string::npos) {
    const auto gid = find_group(text.substr(colon + 1));
    if (!gid) {
      return tl::unexpected(
          refusal("there is no group '" + text.substr(colon + 1) + "' on this host"));
    }
    run_as.credentials.gid = *gid;
  }
  if (run_as.credentials.gid == 0) {
    return tl::unexpected(refusal("the group of '" + text + "' is root's; give another: --run-as " +
                                  user + ":GROUP"));
  }
  run_as.credentials.groups = account ? groups_of(run_as.name, run_as.credentials.gid)
                                      : std::vector<std::uint32_t>{run_as.credentials.gid};
  if (has_roots_group(run_as.credentials)) {
    return tl::unexpected(refusal("'" + user +
                                  "' is a member of root's group (number 0): take it out of that "
                                  "group (gpasswd --delete USER GROUP) or name another user"));
  }
  return run_as;
}

tl::expected<void, Error> prepare_work_dir(RunAs& run_as, const fs::path& work_dir) {
  const fs::path attempts = work_dir / "attempts";
  const std::vector<std::pair<fs::path, mode_t>> folders = {
      {work_dir, 0711}, {attempts, 0711}, {work_dir / "spool", 0700}, {work_dir / "inputs", 0700}};
  for (const auto& [path, mode] : folders) {
    if (auto made = make_folder(path, mode); !made) return made;
  }
  fs::path reached = "/";
  for (const fs::path& part : attempts.relative_path()) {
    reached /= part;
    if (can_enter(run_as.credentials, reached)) continue;
    return tl::unexpected(refusal("user '" + run_as.name + "' cannot enter '" + reached.string() +
                                  "', below which its tasks would run; choose a --work-dir that it "
                                  "can reach (the default is /var/lib/taskpipe/worker)"));
  }
  if (is_own_folder(run_as.home, run_as.credentials.uid)) return {};
  run_as.home = (work_dir / "home").string();
  return make_home(run_as.home, run_as.credentials);
}

Environment environment_of(const RunAs& run_as) {
  return {{"HOME", run_as.home}, {"LOGNAME", run_as.name}, {"USER", run_as.name}};
}

}  // namespace taskpipe::worker
