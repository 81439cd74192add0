#include "worker/shell/worker_options.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/model/limits.hpp"
#include "common/process/host_memory.hpp"
#include "common/process/identity.hpp"
#include "worker/shell/node_capacity.hpp"

namespace taskpipe::worker {
namespace {

namespace fs = std::filesystem;
using process::OptionTable;

constexpr std::string_view kEpilogue =
    "SIGTERM or Ctrl-C drains: running tasks may finish for --drain-timeout, what is\n"
    "left goes to other workers. A second signal stops at once.\n"
    "\n"
    "Exit status: 0 drained, 1 cannot start, 2 bad options, 3 stopped with tasks\n"
    "unfinished, 4 replaced by another worker with the same --work-dir, 5 refused by\n"
    "the broker (protocol version, or a key that it does not admit).";

Error invalid(std::string field, std::string text) {
  return {ErrorCode::invalid, std::move(text), std::move(field)};
}

// Raw values whose meaning is worked out after all sources were read.
struct RawOptions {
  std::string join;
  std::string work_dir;
  std::vector<std::string> tools;
  std::string spawner;
  std::string run_as;
  std::int64_t cpus = -1;
  std::int64_t gpus = -1;
  std::int64_t slots = -1;
  std::int64_t handler_threads = -1;
  std::uint64_t memory_bytes = 0;
  std::vector<std::string> resources;
  std::vector<std::string> labels;
  std::string log_level = "info";
  std::string log_format = "text";
};

void declare(OptionTable& table, WorkerOptions& options, RawOptions& raw) {
  constexpr std::int64_t kMost = 65'536;
  table.group("Connection");
  table.text("broker", options.broker, "ENDPOINT",
             "The broker's worker port: tcp://HOST:PORT or ipc://PATH. Default: what --join says, "
             "else tcp://127.0.0.1:7611.");
  table.text("join", raw.join, "FILE",
             "The join file with this worker's keys, as 'taskpipe-broker init' or 'taskpipe "
             "keygen' has made it; only its owner may be able to read it.");
  table.text("name", options.name, "NAME", "How listings call this worker; default: the host.");
  table.text("work-dir", raw.work_dir, "DIR",
             "Identity, spooled results and the folders of attempts. One worker each. Default: "
             "taskpipe/worker below $XDG_STATE_HOME, for root /var/lib/taskpipe/worker.");

  table.group("Tools");
  table.list("tools", raw.tools, "DIR",
             "Folder of tool manifests; may be repeated, the first that defines a tool wins. "
             "Default: /etc/taskpipe/tools and the toolbox that comes with the program.");
  table.flag("handlers", options.builtin_handlers,
             "Offer the handlers that come with the program (noop, echo).");
  table.integer("handler-threads", raw.handler_threads, {-1, 1024},
                "Threads for handlers; -1: one per cpu.");
  table.text("spawner", raw.spawner, "FILE", "The taskpipe-spawner; default: beside the program.");
  table.text("run-as", raw.run_as, "USER[:GROUP]",
             "Run tools as this user, who owns nothing else. For workers that are started as root: "
             "without it their tools are root as well, and can read all that the worker can.");
  table.choice("memory-control", options.memory_control,
               {"auto", "cgroup-v2", "cgroup-v1", "rlimit", "none"},
               "How memory limits of tasks are enforced.");
  table.text("cgroup-parent", options.cgroup_parent, "PATH",
             "Group below which attempts get theirs; default: the worker's own.");

  table.group("Capacity");
  table.integer("cpus", raw.cpus, {-1, kMost}, "CPUs to offer; -1: all that it may use.");
  table.integer("gpus", raw.gpus, {-1, kMost}, "GPUs to offer; -1: all that it can see.");
  table.size("memory", raw.memory_bytes, {}, "Memory to offer; 0: all that it may use.");
  table.list("resource", raw.resources, "NAME=AMOUNT",
             "Another resource that tasks can ask for, such as license.abaqus=4.");
  table.integer("slots", raw.slots, {-1, kMost}, "Processes at a time; -1: one per cpu.");
  table.list("label", raw.labels, "KEY=VALUE", "A property of this worker, for listings.");

  table.group("Running");
  table.duration("drain-timeout", options.drain_timeout, {},
                 "How long running tasks may go on after SIGTERM.");
  table.choice("on-broker-lost", options.on_broker_lost, {"finish", "stop"},
               "What becomes of running tasks without a broker: they go on, or are stopped when "
               "the lease is over, since the broker gives them to others then.");
  table.duration("broker-wait", options.broker_wait, {},
                 "With --on-broker-lost=finish: how long they go on; 0: to their end.");
  table.duration("keep-attempts", options.keep_attempts, {},
                 "How long the folders of ended attempts are kept.");
  table.size("keep-bytes", options.keep_bytes, {}, "Most that they may occupy.");

  table.group("Files");
  table.duration("upload-patience", options.upload_patience, {Millis(0), Millis(86'400'000)},
                 "How long an ended task waits without progress for its artifacts to reach the "
                 "broker; then it ends without them.");
  table.size("input-cache", options.input_cache_bytes, {},
             "Most that the input files of tasks may occupy in the work folder, beyond those in "
             "use.");
  table.text("shared-dir", options.shared_dir, "DIR",
             "A folder that all hosts see under the same path: artifacts below it are not sent.");

  table.group("Logging");
  table.choice("log-level", raw.log_level, {"debug", "info", "warning", "error"},
               "What is worth a line.");
  table.choice("log-format", raw.log_format, {"text", "json"}, "For people or for programs.");
  table.text("log-file", options.log.file, "FILE", "Instead of standard error.");
}

tl::expected<void, Error> check_broker(const std::string& endpoint) {
  const bool tcp = endpoint.starts_with("tcp://") && endpoint.rfind(':') > 5;
  const bool ipc = endpoint.starts_with("ipc://") && endpoint.size() > 6;
  if (tcp || ipc) return {};
  return tl::unexpected(invalid("broker", "'" + endpoint +
                                              "' is no endpoint: write tcp://HOST:PORT (the "
                                              "broker's worker port is 7611) or ipc://PATH"));
}

tl::expected<void, Error> read_join(const std::string& file, WorkerOptions& options) {
  if (file.empty()) return {};
  auto join = security::read_join_file(file);
  if (!join) return tl::unexpected(join.error());
  if (join->role != Role::worker) {
    return tl::unexpected(invalid("join", "--join " + file + " is for a " +
                                              std::string(name_of(join->role)) +
                                              ", not for a worker; make one with 'taskpipe keygen "
                                              "NAME --role worker'"));
  }
  if (options.broker.empty()) options.broker = join->workers;
  options.join = std::move(*join);
  return {};
}

tl::expected<void, Error> read_run_as(const std::string& text, WorkerOptions& options) {
  if (text.empty()) return {};
  if (::geteuid() != 0) {
    return tl::unexpected(invalid("run-as",
                                  "--run-as needs a worker that is started as root; leave it out "
                                  "and start the worker as a user who owns nothing else"));
  }
  auto found = find_run_as(text);
  if (!found) return tl::unexpected(std::move(found.error()));
  options.run_as = std::move(*found);
  return {};
}

// "key=value" with a key of acceptable length.
tl::expected<std::pair<std::string, std::string>, Error> split(const std::string& text,
                                                               const char* option) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals > limits::kMaxNameBytes ||
      text.size() - equals - 1 > limits::kMaxNameBytes) {
    return tl::unexpected(invalid(option, "--" + std::string(option) + " '" + text +
                                              "': write KEY=VALUE, each of at most " +
                                              std::to_string(limits::kMaxNameBytes) + " bytes"));
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

tl::expected<Resources, Error> read_resources(const RawOptions& raw) {
  Resources resources;
  resources.cpus = raw.cpus < 0 ? usable_cpus() : static_cast<std::uint32_t>(raw.cpus);
  resources.gpus = raw.gpus < 0 ? visible_gpus() : static_cast<std::uint32_t>(raw.gpus);
  resources.memory_bytes =
      raw.memory_bytes == 0 ? process::usable_memory_bytes() : raw.memory_bytes;
  for (const std::string& text : raw.resources) {
    auto pair = split(text, "resource");
    if (!pair) return tl::unexpected(pair.error());
    NamedResource named{pair->first, 0};
    const char* end = pair->second.data() + pair->second.size();
    const auto parsed = std::from_chars(pair->second.data(), end, named.amount);
    if (parsed.ec != std::errc{} || parsed.ptr != end || named.amount == 0) {
      return tl::unexpected(
          invalid("resource", "--resource '" + text + "': the amount is a whole number above 0"));
    }
    const bool repeated =
        std::any_of(resources.named.begin(), resources.named.end(),
                    [&](const NamedResource& other) { return other.name == named.name; });
    if (repeated) {
      return tl::unexpected(
          invalid("resource", "--resource '" + named.name + "' is given twice; give it once"));
    }
    resources.named.push_back(std::move(named));
  }
  if (resources.named.size() > limits::kMaxNamedResources) {
    return tl::unexpected(invalid("resource", "at most " +
                                                  std::to_string(limits::kMaxNamedResources) +
                                                  " named resources can be offered"));
  }
  normalize(resources);
  return resources;
}

tl::expected<std::vector<Label>, Error> read_labels(const RawOptions& raw) {
  std::vector<Label> labels;
  for (const std::string& text : raw.labels) {
    auto pair = split(text, "label");
    if (!pair) return tl::unexpected(pair.error());
    labels.push_back({std::move(pair->first), std::move(pair->second)});
  }
  std::sort(labels.begin(), labels.end());
  const auto twice = std::adjacent_find(
      labels.begin(), labels.end(), [](const auto& a, const auto& b) { return a.key == b.key; });
  if (twice != labels.end()) {
    return tl::unexpected(
        invalid("label", "--label '" + twice->key + "' is given twice; give it once"));
  }
  if (labels.size() > limits::kMaxLabels) {
    return tl::unexpected(
        invalid("label", "at most " + std::to_string(limits::kMaxLabels) + " labels can be given"));
  }
  return labels;
}

fs::path program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : program.parent_path();
}

fs::path first_existing(const std::vector<fs::path>& candidates) {
  std::error_code error;
  for (const fs::path& path : candidates) {
    if (fs::exists(path, error)) return path;
  }
  return {};
}

std::vector<fs::path> tool_folders(const RawOptions& raw) {
  if (!raw.tools.empty()) return {raw.tools.begin(), raw.tools.end()};
  std::vector<fs::path> folders;
  std::error_code error;
  if (fs::is_directory("/etc/taskpipe/tools", error)) folders.emplace_back("/etc/taskpipe/tools");
  const fs::path beside = program_folder();
  fs::path shipped = first_existing(
      {beside / "toolbox", beside.parent_path() / "share/taskpipe/toolbox", TASKPIPE_TOOLBOX});
  if (!shipped.empty()) folders.push_back(std::move(shipped));
  return folders;
}

fs::path default_work_dir(const process::OptionSources& sources) {
  if (const auto state = sources.environment("XDG_STATE_HOME"); state && !state->empty()) {
    return fs::path(*state) / "taskpipe/worker";
  }
  if (::geteuid() == 0) return "/var/lib/taskpipe/worker";
  const auto home = sources.environment("HOME");
  return home && !home->empty() ? fs::path(*home) / ".local/state/taskpipe/worker" : fs::path();
}

tl::expected<void, Error> fill_in(const process::OptionSources& sources, const RawOptions& raw,
                                  WorkerOptions& options) {
  if (auto joined = read_join(raw.join, options); !joined) return joined;
  if (options.broker.empty()) options.broker = "tcp://127.0.0.1:7611";
  if (auto checked = check_broker(options.broker); !checked) return checked;
  if (options.name.empty()) options.name = process::host_name();
  if (options.name.size() > limits::kMaxNameBytes) {
    return tl::unexpected(
        invalid("name", "--name has at most " + std::to_string(limits::kMaxNameBytes) + " bytes"));
  }
  options.work_dir = raw.work_dir.empty() ? default_work_dir(sources) : fs::path(raw.work_dir);
  if (options.work_dir.empty()) {
    return tl::unexpected(invalid("work-dir", "there is no home folder; give --work-dir"));
  }
  std::error_code error;
  options.work_dir = fs::absolute(options.work_dir, error).lexically_normal();
  if (!options.shared_dir.empty()) {
    options.shared_dir = fs::absolute(options.shared_dir, error).lexically_normal().string();
    if (options.shared_dir.ends_with('/')) options.shared_dir.pop_back();
    if (!fs::is_directory(options.shared_dir, error)) {
      return tl::unexpected(invalid(
          "shared-dir", "--shared-dir '" + options.shared_dir + "' is no folder; mount it first"));
    }
  }
  if (auto resolved = read_run_as(raw.run_as, options); !resolved) return resolved;
  options.tool_folders = tool_folders(raw);
  const fs::path beside = program_folder();
  options.spawner = !raw.spawner.empty()
                        ? fs::path(raw.spawner)
                        : first_existing({beside / "taskpipe-spawner",
                                          beside.parent_path() / "libexec/taskpipe-spawner"});
  auto resources = read_resources(raw);
  if (!resources) return tl::unexpected(resources.error());
  options.resources = std::move(*resources);
  auto labels = read_labels(raw);
  if (!labels) return tl::unexpected(labels.error());
  options.labels = std::move(*labels);
  const std::uint32_t per_cpu = std::max(options.resources.cpus, 1U);
  options.slots = raw.slots < 0 ? per_cpu : static_cast<std::uint32_t>(raw.slots);
  options.handler_threads =
      raw.handler_threads < 0 ? per_cpu : static_cast<std::uint32_t>(raw.handler_threads);
  options.log.program = "worker";
  options.log.level = process::parse_log_level(raw.log_level).value_or(process::LogLevel::info);
  options.log.format = process::parse_log_format(raw.log_format).value_or(process::LogFormat::text);
  return {};
}

}  // namespace

tl::expected<ParsedWorkerOptions, Error> parse_worker_options(
    const process::OptionSources& sources) {
  ParsedWorkerOptions result;
  RawOptions raw;
  process::ProgramInfo info;
  info.program = "taskpipe-worker";
  info.config_name = "worker";
  info.summary = "Runs the tasks that a taskpipe broker gives it.";
  info.version = TASKPIPE_VERSION;
  info.epilogue = kEpilogue;
  OptionTable table(info);
  declare(table, result.options, raw);
  auto parsed = table.parse(sources);
  if (!parsed) return tl::unexpected(parsed.error());
  result.print = std::move(parsed->print);
  result.config_file = std::move(parsed->config_file);
  if (result.print) return result;
  if (auto filled = fill_in(sources, raw, result.options); !filled) {
    return tl::unexpected(filled.error());
  }
  return result;
}

}  // namespace taskpipe::worker
