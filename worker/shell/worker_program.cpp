#include "worker/shell/worker_program.hpp"

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/model/limits.hpp"
#include "common/net/socket.hpp"
#include "common/process/identity.hpp"
#include "common/process/logging.hpp"
#include "common/process/signals.hpp"
#include "worker/exec/process_executor.hpp"
#include "worker/handlers/builtin_handlers.hpp"
#include "worker/shell/artifact_uploader.hpp"
#include "worker/shell/attempt_sweeper.hpp"
#include "worker/shell/containers.hpp"
#include "worker/shell/input_cache.hpp"
#include "worker/shell/input_fetcher.hpp"
#include "worker/shell/own_folder.hpp"
#include "worker/shell/run_as.hpp"
#include "worker/shell/worker_identity.hpp"
#include "worker/shell/worker_loop.hpp"
#include "worker/shell/worker_options.hpp"
#include "worker/tools/tool_registry.hpp"

namespace taskpipe::worker {
namespace {

constexpr int kCannotStart = 1;
constexpr int kBadOptions = 2;

int exit_status(ExitCause cause) {
  switch (cause) {
    case ExitCause::drained: return 0;
    case ExitCause::stopped: return 3;
    case ExitCause::replaced: return 4;
    case ExitCause::refused: return 5;
  }
  return kCannotStart;
}

ToolRegistry load_tools(const WorkerOptions& options, const WorkerIdentity& identity,
                        process::Logger& logger) {
  const Environment environment = environment_of_process();
  const auto unswept = remove_old_containers(environment, identity, logger);
  ToolRegistry tools =
      ToolRegistry::load(options.tool_folders, environment,
                         options.run_as ? environment_of(*options.run_as) : Environment{},
                         container_host(options, identity));
  for (const auto& rejection : tools.rejections()) {
    logger.info("not offered", {{"file", rejection.file.string()}, {"why", rejection.reason}});
  }
  tell_unlimited(tools, logger);
  tell_unswept(unswept, tools, logger);
  return tools;
}

// A name that both a handler and a manifest define is the handler's: it was compiled in on purpose.
std::vector<OfferedTool> join_offers(const ToolRegistry& tools, const HandlerRegistry& handlers,
                                     process::Logger& logger) {
  std::vector<OfferedTool> offers;
  for (ToolOffer& offer : handlers.offers()) {
    offers.push_back({std::move(offer), AttemptKind::handler});
  }
  for (ToolOffer& offer : tools.offers()) {
    if (handlers.find(offer.name) != nullptr) {
      logger.warning("a handler hides the tool of the same name", {{"tool", offer.name}});
      continue;
    }
    offers.push_back({std::move(offer), AttemptKind::process});
  }
  if (offers.size() > limits::kMaxToolsPerWorker) {
    logger.warning("too many tools: the last ones are not offered",
                   {{"offered", std::to_string(limits::kMaxToolsPerWorker)}});
    offers.resize(limits::kMaxToolsPerWorker);
  }
  return offers;
}

WorkerConfig make_config(const WorkerOptions& options, const WorkerIdentity& identity,
                         std::vector<OfferedTool> offers) {
  WorkerConfig config;
  config.uuid = identity.uuid();
  config.incarnation = identity.incarnation();
  config.user = options.join ? options.join->user : process::user_name();
  config.name = options.name;
  config.host = process::host_name();
  config.pid = process::process_id();
  config.slots = options.slots;
  config.resources = options.resources;
  config.labels = options.labels;
  config.tools = std::move(offers);
  config.drain_timeout = options.drain_timeout;
  if (options.on_broker_lost == "stop") config.on_broker_lost = OnBrokerLost::stop;
  config.broker_wait = options.broker_wait;
  return config;
}

bool offers_processes(const std::vector<OfferedTool>& offers) {
  for (const OfferedTool& tool : offers) {
    if (tool.kind == AttemptKind::process) return true;
  }
  return false;
}

// Of the worker's own rights nothing shall be left to what clients have it run.
void tell_who_runs_tools(const WorkerOptions& options, process::Logger& logger) {
  if (options.run_as) {
    logger.info("tools run as another user",
                {{"user", options.run_as->name},
                 {"uid", std::to_string(options.run_as->credentials.uid)},
                 {"home", options.run_as->home}});
  } else if (::geteuid() == 0) {
    logger.warning(
        "tools run as root, so that whoever may submit tasks is root on this host: give "
        "--run-as USER, or start the worker as another user");
  }
}

// Everything that runs, in the order in which it must be made and the reverse of which it ends.
int run(WorkerOptions options, const HandlerRegistry& handlers, process::SignalFd& signals,
        process::Logger& logger) {
  if (options.run_as) {
    if (auto own = make_own_folder(options.work_dir); !own) {
      logger.error(own.error().text);
      return kCannotStart;
    }
  }
  auto identity = WorkerIdentity::claim(options.work_dir);
  if (!identity) {
    logger.error(identity.error().text);
    return kCannotStart;
  }
  if (options.run_as) {
    if (auto prepared = prepare_work_dir(*options.run_as, options.work_dir); !prepared) {
      logger.error(prepared.error().text);
      return kCannotStart;
    }
  }
  process::raise_open_file_limit();
  const ToolRegistry tools = load_tools(options, *identity, logger);
  std::vector<OfferedTool> offers = join_offers(tools, handlers, logger);
  if (offers.empty()) {
    logger.error("there is nothing to offer: give --tools, or --handlers");
    return kCannotStart;
  }
  auto spool = SpoolFolder::open(options.work_dir / "spool");
  auto spooled = spool ? spool->load() : tl::unexpected(spool.error());
  if (!spooled) {
    logger.error(spooled.error().text);
    return kCannotStart;
  }
  for (const std::string& warning : spooled->warnings) logger.warning(warning);

  const std::string attempts_root = (options.work_dir / "attempts").string();
  CommandMailbox commands;
  ArtifactUploader uploader({options.upload_patience, options.shared_dir}, logger);
  std::unique_ptr<ProcessExecutor> executor;
  if (offers_processes(offers)) {
    ProcessExecutorOptions exec;
    exec.attempts_root = attempts_root;
    exec.spawner = {options.spawner.string(), options.memory_control, options.cgroup_parent,
                    std::nullopt};
    if (options.run_as) exec.spawner.run_as = options.run_as->credentials;
    exec.node = process::host_name();
    exec.keeper = &uploader;
    exec.logger = &logger;
    tell_who_runs_tools(options, logger);
    executor = std::make_unique<ProcessExecutor>(std::move(exec), post_to(commands));
    logger.info("tasks run as processes", {{"memory_limits", executor->memory_control()}});
  }

  net::Context context;
  bulk::AccessHolder bulk_access;
  uploader.open(context, bulk_access);
  // Before the context ends, and after the loop.
  struct CloseUploads {
    ArtifactUploader& uploader;
    ~CloseUploads() { uploader.close(); }
  } const close_uploads{uploader};
  SpoolThread spool_thread(std::move(*spool), commands, logger);
  const process::FileOwner owner =
      options.run_as ? process::FileOwner(options.run_as->credentials.uid) : std::nullopt;
  LogReader log_reader(attempts_root, commands, owner);
  AttemptSweeper sweeper(attempts_root, options.keep_bytes,
                         std::chrono::duration_cast<std::chrono::seconds>(options.keep_attempts),
                         logger);
  std::unique_ptr<ProcessRunner> processes;
  if (executor) {
    processes = std::make_unique<ProcessRunner>(
        [&tools, owner](const TaskSpec& spec, const ValueMap& params, AttemptContext context_of) {
          context_of.owner = owner;
          return tools.plan(spec, params, context_of);
        },
        *executor, attempts_root, commands);
  }
  InputFetcher inputs(context, bulk_access,
                      InputCache(options.work_dir / "inputs", options.input_cache_bytes),
                      options.upload_patience);
  if (processes) processes->fetch_inputs_by(&inputs);
  HandlerExecutor handler_pool(handlers, options.handler_threads, process::host_name(),
                               post_batches_to(commands));

  WorkerConfig config = make_config(options, *identity, std::move(offers));
  logger.info("worker starts", {{"name", config.name},
                                {"broker", options.broker},
                                {"uuid", config.uuid.to_string()},
                                {"tools", std::to_string(config.tools.size())},
                                {"cpus", std::to_string(config.resources.cpus)},
                                {"gpus", std::to_string(config.resources.gpus)},
                                {"memory_bytes", std::to_string(config.resources.memory_bytes)}});
  WorkerParts parts{context, commands, spool_thread, log_reader, logger};
  parts.bulk_access = &bulk_access;
  parts.processes = processes.get();
  parts.handlers = &handler_pool;
  parts.signals = &signals;
  Exit end;
  {
    std::optional<net::CurveClient> curve;
    if (options.join) curve = net::CurveClient{options.join->server_key, options.join->keys};
    WorkerLoop loop(std::move(config), options.broker, parts, std::move(curve));
    end = loop.run(std::move(spooled->results));
  }
  if (end.cause == ExitCause::drained || end.cause == ExitCause::stopped) {
    logger.info("worker ends", {{"why", end.reason}});
  } else {
    logger.error("worker ends", {{"why", end.reason}});
  }
  if (!handler_pool.shut_down(Millis{limits::kStopPatienceMs})) {
    logger.error("a handler does not return: ending without it");
    std::_Exit(exit_status(end.cause));  // the spawner sees the end of its pipe and kills the rest
  }
  return exit_status(end.cause);
}

}  // namespace

int run_worker(int argc, const char* const* argv, HandlerRegistry handlers) {
  try {
    const auto parsed =
        parse_worker_options(process::OptionSources::of_process(argc, argv, "worker"));
    if (!parsed) {
      std::cerr << "taskpipe-worker: " << parsed.error().text << '\n';
      return kBadOptions;
    }
    if (parsed->print) {
      std::cout << *parsed->print;
      return 0;
    }
    process::SignalFd signals;
    process::Logger logger(parsed->options.log);
    if (!parsed->config_file.empty()) {
      logger.info("read options", {{"file", parsed->config_file}});
    }
    if (parsed->options.builtin_handlers) {
      if (const auto added = add_builtin_handlers(handlers); !added) {
        logger.error("cannot offer the builtin handlers as well: " + added.error().text);
        return kCannotStart;
      }
    }
    return run(parsed->options, handlers, signals, logger);
  } catch (const std::exception& e) {
    std::cerr << "taskpipe-worker: " << e.what() << '\n';
    return kCannotStart;
  }
}

}  // namespace taskpipe::worker
