// taskpipe keygen NAME
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "client/cli/commands/commands.hpp"
#include "common/security/cluster_folder.hpp"

namespace taskpipe::cli {
namespace {

namespace fs = std::filesystem;

ExitCode print_files(Invocation& call, const std::vector<fs::path>& files,
                     const std::string& hint) {
  ValueList list;
  for (const fs::path& file : files) list.emplace_back(file.string());
  if (call.json()) {
    call.print(ValueMap{{"files", std::move(list)}});
    return ExitCode::success;
  }
  for (const fs::path& file : files) call.out() << file.string() << '\n';
  call.out() << std::flush;
  call.console().hint(hint);
  return ExitCode::success;
}

// For somebody who has no cluster folder, and whose secret never leaves this host.
ExitCode make_own(Invocation& call, const std::string& name, const std::string& out) {
  const auto written = security::make_own_keys(out.empty() ? "." : out, name);
  if (!written) return call.usage_error(written.error());
  return print_files(call, *written,
                     "send " + written->front().string() +
                         " to the administrator, and put the join file that comes back, which has "
                         "no secret, beside " +
                         written->back().string());
}

}  // namespace

ExitCode run_keygen(Invocation& call) {
  security::PeerPlan plan;
  std::string keys;
  std::string role = "client";
  std::string public_key;
  std::string out;
  call.options().text("keys", keys, "DIR",
                      "The broker's cluster folder, which is to admit the new key; the broker sees "
                      "it at once. Without it a key pair of your own is made, for an administrator "
                      "to admit.");
  call.options().choice("role", role, {"client", "worker", "observer", "admin"},
                        "What the key may do: clients own tasks, observers see everything, admins "
                        "may act on everything.");
  call.options().text("owner", plan.user, "NAME",
                      "Whose key it is: keys with one owner share their tasks. Nothing = NAME of "
                      "the key.");
  call.options().text("public-key", public_key, "KEY",
                      "Admit this key, which its owner has made: a certificate file, or the 40 "
                      "characters themselves.");
  call.options().text("out", out, "FILE",
                      "Where the join file goes; nothing = join/NAME.join in the cluster folder. "
                      "Without --keys: the folder of the key pair.");
  if (const auto end = call.parse({1, 1})) return *end;
  const std::string& name = call.arguments().front();
  if (keys.empty()) {
    if (public_key.empty()) return make_own(call, name, out);
    return call.usage_error("--public-key is for --keys DIR, the folder that is to admit it");
  }
  plan.name = name;
  plan.role = *parse_role(role);
  plan.out = out;
  if (!public_key.empty()) {
    const auto key = security::read_public_key(public_key);
    if (!key) return call.usage_error(key.error());
    plan.key = *key;
  }
  const auto join = security::add_peer(keys, plan);
  if (!join) return call.usage_error(join.error());
  const char* program = plan.role == Role::worker ? "taskpipe-worker" : "taskpipe";
  return print_files(call, {*join},
                     "hand it over by a way that others cannot read; it is used with:  " +
                         std::string(program) + " --join " + join->filename().string());
}

}  // namespace taskpipe::cli
