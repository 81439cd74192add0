#include "worker/shell/worker_options.hpp"

#include <map>

#include <gtest/gtest.h>

#include "common/model/limits.hpp"
#include "common/process/host_memory.hpp"
#include "common/process/identity.hpp"
#include "worker/shell/node_capacity.hpp"

namespace taskpipe::worker {
namespace {

tl::expected<ParsedWorkerOptions, Error> parse(std::vector<std::string> arguments,
                                               std::map<std::string, std::string> environment = {
                                                   {"HOME", "/home/ada"},
                                                   {"XDG_STATE_HOME", "/state"}}) {
  process::OptionSources sources;
  sources.arguments = std::move(arguments);
  sources.environment = [environment](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    if (found == environment.end()) return std::nullopt;
    return found->second;
  };
  return parse_worker_options(sources);
}

std::string refused(std::vector<std::string> arguments) {
  const auto parsed = parse(std::move(arguments));
  return parsed ? "" : parsed.error().field;
}

TEST(WorkerOptions, DefaultsFitTheNode) {
  const auto parsed = parse({});
  ASSERT_TRUE(parsed) << parsed.error().text;
  const WorkerOptions& o = parsed->options;
  EXPECT_EQ(o.broker, "tcp://127.0.0.1:7611");
  EXPECT_EQ(o.name, process::host_name());
  EXPECT_EQ(o.work_dir, "/state/taskpipe/worker");
  EXPECT_EQ(o.resources.cpus, usable_cpus());
  EXPECT_EQ(o.resources.memory_bytes, process::usable_memory_bytes());
  EXPECT_EQ(o.slots, usable_cpus());
  EXPECT_EQ(o.handler_threads, usable_cpus());
  EXPECT_TRUE(o.builtin_handlers);
  EXPECT_FALSE(o.tool_folders.empty());
  EXPECT_EQ(o.log.program, "worker");
  EXPECT_GE(usable_cpus(), 1U);
}

TEST(WorkerOptions, SaysWhatItWasTold) {
  const auto parsed = parse({"--broker",
                             "tcp://broker:7611",
                             "--name",
                             "n7",
                             "--work-dir",
                             "/w/../v",
                             "--tools",
                             "/a",
                             "--tools",
                             "/b",
                             "--cpus",
                             "8",
                             "--gpus",
                             "2",
                             "--memory",
                             "16G",
                             "--resource",
                             "license.b=4",
                             "--resource",
                             "license.a=1",
                             "--label",
                             "zone=b",
                             "--label",
                             "disk=ssd",
                             "--slots",
                             "3",
                             "--handlers=false",
                             "--drain-timeout",
                             "5m",
                             "--on-broker-lost",
                             "stop",
                             "--broker-wait",
                             "90s",
                             "--log-level",
                             "debug",
                             "--log-format",
                             "json"});
  ASSERT_TRUE(parsed) << parsed.error().text;
  const WorkerOptions& o = parsed->options;
  EXPECT_EQ(o.work_dir, "/v");
  EXPECT_EQ(o.tool_folders, (std::vector<std::filesystem::path>{"/a", "/b"}));
  EXPECT_EQ(o.resources, (Resources{8, 2, 16ULL << 30U, {{"license.a", 1}, {"license.b", 4}}}));
  EXPECT_EQ(o.labels, (std::vector<Label>{{"disk", "ssd"}, {"zone", "b"}}));
  EXPECT_EQ(o.slots, 3U);
  EXPECT_EQ(o.on_broker_lost, "stop");
  EXPECT_EQ(o.broker_wait, Millis(90'000));
  EXPECT_EQ(o.handler_threads, 8U);
  EXPECT_FALSE(o.builtin_handlers);
  EXPECT_EQ(o.drain_timeout, Millis{300'000});
  EXPECT_EQ(o.log.level, process::LogLevel::debug);
  EXPECT_EQ(o.log.format, process::LogFormat::json);
}

TEST(WorkerOptions, ReadsTheEnvironment) {
  const auto parsed = parse({}, {{"HOME", "/home/ada"},
                                 {"TASKPIPE_BROKER", "ipc:///run/broker"},
                                 {"TASKPIPE_WORK_DIR", "/w"}});
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->options.broker, "ipc:///run/broker");
  EXPECT_EQ(parsed->options.work_dir, "/w");
}

TEST(WorkerOptions, NamesTheOptionThatIsWrong) {
  EXPECT_EQ(refused({"--broker", "localhost"}), "broker");
  EXPECT_EQ(refused({"--broker", "tcp://nohost"}), "broker");
  EXPECT_EQ(refused({"--broker", "udp://h:1"}), "broker");
  EXPECT_EQ(refused({"--resource", "license"}), "resource");
  EXPECT_EQ(refused({"--resource", "=4"}), "resource");
  EXPECT_EQ(refused({"--resource", "license=0"}), "resource");
  EXPECT_EQ(refused({"--resource", "license=-1"}), "resource");
  EXPECT_EQ(refused({"--resource", "license=4x"}), "resource");
  EXPECT_EQ(refused({"--resource", "a=1", "--resource", "a=2"}), "resource");
  EXPECT_EQ(refused({"--label", "zone"}), "label");
  EXPECT_EQ(refused({"--label", "a=1", "--label", "a=2"}), "label");
  EXPECT_EQ(refused({"--name", std::string(200, 'n')}), "name");
  EXPECT_EQ(refused({"--cpus", "many"}), "cpus");
  EXPECT_EQ(refused({"--memory", "16Q"}), "memory");
  EXPECT_EQ(refused({"--log-level", "loud"}), "log-level");
  std::vector<std::string> many;
  for (std::size_t i = 0; i <= limits::kMaxNamedResources; ++i) {
    many.insert(many.end(), {"--resource", "r" + std::to_string(i) + "=1"});
  }
  EXPECT_EQ(refused(many), "resource");
}

TEST(WorkerOptions, HelpAndVersionAreThere) {
  const auto help = parse({"--help"});
  ASSERT_TRUE(help && help->print);
  for (const char* word : {"--broker", "--work-dir", "--drain-timeout", "Exit status"}) {
    EXPECT_NE(help->print->find(word), std::string::npos) << word;
  }
  const auto version = parse({"--version"});
  ASSERT_TRUE(version && version->print);
  EXPECT_NE(version->print->find(TASKPIPE_VERSION), std::string::npos);
}

}  // namespace
}  // namespace taskpipe::worker
