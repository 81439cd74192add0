#include "client/cli/app.hpp"

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace taskpipe::cli {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Runs the program without a broker: what needs one ends as unreachable, quickly.
class App : public ::testing::Test {
 protected:
  ExitCode run(std::vector<std::string> words) {
    out.str("");
    err.str("");
    process::OptionSources sources;
    sources.arguments = std::move(words);
    sources.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment.find(name);
      return found == environment.end() ? std::nullopt : std::optional(found->second);
    };
    Console console{out, err};
    return cli::run(sources, console);
  }

  std::map<std::string, std::string> environment;
  std::ostringstream out;
  std::ostringstream err;
};

TEST_F(App, HelpListsEveryCommandAndCode) {
  EXPECT_EQ(run({"help"}), ExitCode::success);
  for (const Command& command : all_commands()) {
    EXPECT_THAT(out.str(), HasSubstr("\n  " + command.name));
  }
  EXPECT_THAT(out.str(), HasSubstr("130"));
  const std::string text = out.str();
  EXPECT_EQ(run({"--help"}), ExitCode::success);
  EXPECT_EQ(out.str(), text);
  EXPECT_EQ(run({"-h"}), ExitCode::success);
  EXPECT_EQ(out.str(), text);
}

TEST_F(App, EveryCommandExplainsItself) {
  for (const Command& command : all_commands()) {
    std::vector<std::string> words;
    std::istringstream name(command.name);
    for (std::string word; name >> word;) words.push_back(word);
    words.emplace_back("--help");
    EXPECT_EQ(run(words), ExitCode::success) << command.name;
    EXPECT_THAT(out.str(),
                AllOf(HasSubstr("Usage: taskpipe " + command.name), HasSubstr("--broker"),
                      HasSubstr("--json"), HasSubstr("Exit codes:")));
    const std::string text = out.str();
    words.pop_back();
    words.insert(words.begin(), "help");
    EXPECT_EQ(run(words), ExitCode::success);
    EXPECT_EQ(out.str(), text);
  }
}

TEST_F(App, HelpIsEightyColumnsWide) {
  for (const Command& command : all_commands()) {
    run({"help", command.name.substr(0, command.name.find(' '))});
    std::istringstream lines(out.str());
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 90U) << line;
  }
}

TEST_F(App, VersionIsOneLine) {
  for (const char* word : {"version", "--version"}) {
    EXPECT_EQ(run({word}), ExitCode::success);
    EXPECT_EQ(out.str(), std::string("taskpipe ") + TASKPIPE_VERSION + "\n");
  }
}

TEST_F(App, WithoutACommandItShowsHow) {
  EXPECT_EQ(run({}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("Usage: taskpipe COMMAND"));
  EXPECT_THAT(out.str(), IsEmpty());
}

TEST_F(App, AnUnknownCommandHasANearestOne) {
  EXPECT_EQ(run({"sumbit", "lammps"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("did you mean 'submit'?"));
  EXPECT_EQ(run({"help", "lits"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("did you mean 'list'?"));
  EXPECT_EQ(run({"frobnicate"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("'taskpipe help' lists"));
  EXPECT_EQ(run({"workflow"}), ExitCode::usage);
  EXPECT_EQ(run({"workflow", "destroy"}), ExitCode::usage);
}

TEST_F(App, HelpAndManualSayWhichWordIsTooMuch) {
  for (const char* word : {"help", "man"}) {
    EXPECT_EQ(run({word, "submit", "foo"}), ExitCode::usage);
    EXPECT_THAT(err.str(), HasSubstr("unexpected argument 'foo' after the command 'submit'"));
    EXPECT_THAT(out.str(), IsEmpty());
    EXPECT_EQ(run({word, "workflow", "rum"}), ExitCode::usage);
    EXPECT_THAT(err.str(), HasSubstr("'workflow' has no 'rum'; did you mean 'run'?"));
  }
  EXPECT_EQ(run({"man", "workflow"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("\n  taskpipe man workflow run "));
  EXPECT_EQ(run({"workflow", "--json"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("first word of several commands"));
}

TEST_F(App, OptionsAloneAreNoCommand) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"-b"}, {"--broker", "list"}, {"--user=me"}}) {
    EXPECT_EQ(run(words), ExitCode::usage);
    EXPECT_THAT(err.str(), HasSubstr("no command behind '" + words.back() + "'"));
  }
}

TEST_F(App, AnEmptyValueIsNotTakenForAnAbsentOne) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"submit", "lammps", "--params", ""},
                                             {"submit", "lammps", "--script", ""},
                                             {"list", "--state", ""},
                                             {"cancel", "--workflow", ""},
                                             {"events", "--topic", ""}}) {
    EXPECT_EQ(run(words), ExitCode::usage);
    EXPECT_THAT(err.str(), HasSubstr(words[words.size() - 2] + ": its value is empty"));
  }
}

TEST_F(App, MistakesNameTheOptionAndTheRemedy) {
  const auto said = [this](std::vector<std::string> words) {
    EXPECT_EQ(run(words), ExitCode::usage) << ::testing::PrintToString(words);
    return err.str();
  };
  EXPECT_THAT(said({"submit", "lammps", "--params", "no/such"}),
              HasSubstr("--params: cannot read 'no/such'"));
  EXPECT_THAT(said({"list", "--state", "succes"}), HasSubstr("did you mean 'success'?"));
  EXPECT_THAT(said({"dead", "list", "--state", "running"}),
              HasSubstr("not one of failed, timeout, error"));
  EXPECT_THAT(said({"submit", "lammps", "--retries", "2", "--retry-on", "exti"}),
              HasSubstr("did you mean 'exit'?"));
  const std::string id(32, '0');
  EXPECT_THAT(said({"dead", "resubmit", id, "--all"}), HasSubstr("not both"));
  EXPECT_THAT(said({"dead", "resubmit", id, "--tool", "t"}), HasSubstr("go with --all"));
  EXPECT_THAT(said({"dead"}), HasSubstr("taskpipe dead resubmit"));
  EXPECT_THAT(said({"wait", id, "--workflow", id}), HasSubstr("not both"));
  EXPECT_THAT(said({"wait", "--workflow", id.substr(8)}), HasSubstr("32 hex digits are needed"));
  EXPECT_THAT(said({"events", "--topic", "tasks.lammps"}), HasSubstr("did you mean 'task'?"));
  EXPECT_THAT(said({"list", "--broker", "http://host:1"}), HasSubstr("TASKPIPE_BROKER"));
}

TEST_F(App, AnUnknownOptionHasANearestOne) {
  EXPECT_EQ(run({"submit", "lammps", "--priorty", "3"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("--priority"));
  EXPECT_EQ(run({"list", "--jsn"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("--json"));
}

TEST_F(App, CountsItsArguments) {
  EXPECT_EQ(run({"submit"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("TOOL"));
  EXPECT_EQ(run({"submit", "a", "b", "c"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("'c'"));
  EXPECT_EQ(run({"wait"}), ExitCode::usage);
  EXPECT_EQ(run({"list", "stray"}), ExitCode::usage);
  EXPECT_EQ(run({"logs"}), ExitCode::usage);
}

TEST_F(App, BadValuesAreFoundBeforeAnyConnection) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"submit", "lammps", "--memory", "lots"},
                                             {"submit", "lammps", "--cpus", "0"},
                                             {"submit", "lammps", "--count", "0"},
                                             {"submit", "lammps", "--timeout", "soon"},
                                             {"submit", "lammps", "-p", "steps"},
                                             {"submit", "lammps", "-p", "dt=1e999"},
                                             {"submit", "lammps", "--params", "no/such/file"},
                                             {"submit", "lammps", "--label", "x"},
                                             {"submit", "lammps", "--retries", "100"},
                                             {"submit", "lammps", "--retry-on", "exit"},
                                             {"sweep", "lammps", "-p", "a=1", "--backoff", "2d"},
                                             {"submit", "lammps", "--worker-losses", "-2"},
                                             {"submit", "lammps", "--queue-time", "400d"},
                                             {"list", "--state", "asleep"},
                                             {"list", "--workflow", "xyz"},
                                             {"dead", "list", "--state", "success"},
                                             {"dead", "show", "xyz"},
                                             {"dead", "resubmit"},
                                             {"dead", "resubmit", "xyz"},
                                             {"status", "xyz"},
                                             {"wait", "0123"},
                                             {"cancel", "--workflow", "xyz"},
                                             {"workflow", "submit", "no/such/file"},
                                             {"health", "--color", "sometimes"}}) {
    EXPECT_EQ(run(words), ExitCode::usage) << ::testing::PrintToString(words);
    EXPECT_THAT(err.str(), HasSubstr("taskpipe")) << ::testing::PrintToString(words);
  }
}

TEST_F(App, OptionsMayStandBeforeTheCommand) {
  EXPECT_EQ(run({"--broker", "nowhere", "--json", "list", "--state", "asleep"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("asleep"));
}

TEST_F(App, ErrorsAreDocumentsWithJson) {
  EXPECT_EQ(run({"status", "xyz", "--json"}), ExitCode::usage);
  const auto document = nlohmann::json::parse(err.str());
  EXPECT_EQ(document["error"]["code"], "INVALID");
  EXPECT_EQ(document["error"]["field"], "task_id");
  EXPECT_THAT(out.str(), IsEmpty());
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"list", "--limit", "abc", "--json"},
                                             {"frobnicate", "--json"},
                                             {"--json", "frobnicate"},
                                             {"--json"},
                                             {"workflow", "--json"},
                                             {"man", "submit", "foo", "--json"},
                                             {"help", "frobnicate", "--json"}}) {
    EXPECT_EQ(run(words), ExitCode::usage);
    const auto said = nlohmann::json::parse(err.str(), nullptr, false);
    EXPECT_EQ(said.value("/error/code"_json_pointer, ""), "INVALID") << err.str();
  }
}

TEST_F(App, TheEnvironmentSetsWhatEveryCommandHas) {
  environment["TASKPIPE_JSON"] = "1";
  environment["TASKPIPE_STATE"] = "asleep";  // an option of one command: not from here
  environment["TASKPIPE_CONNECT_TIMEOUT"] = "soon";
  EXPECT_EQ(run({"list"}), ExitCode::usage);
  EXPECT_THAT(err.str(), HasSubstr("TASKPIPE_CONNECT_TIMEOUT"));
}

// Of a bad address of events it shows whether it counts: before any connection.
TEST_F(App, EventsOfAWeakerSourceBelongToAnotherBroker) {
  const std::string nobody = "tcp://127.0.0.1:1";
  const auto is_used = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"health", "--connect-timeout", "50ms"});
    const ExitCode code = run(words);
    EXPECT_THAT(code, AnyOf(ExitCode::usage, ExitCode::unreachable)) << err.str();
    EXPECT_THAT(err.str(), HasSubstr(code == ExitCode::usage ? "TASKPIPE_EVENTS" : nobody));
    return code == ExitCode::usage;
  };
  environment["TASKPIPE_EVENTS"] = "ftp://x";
  EXPECT_FALSE(is_used({"--broker", nobody}));
  EXPECT_TRUE(is_used({"-b", nobody, "--events", "ftp://x"}));
  environment["TASKPIPE_BROKER"] = nobody;
  EXPECT_TRUE(is_used({}));
  EXPECT_FALSE(is_used({"-b", nobody}));

  const std::string file = ::testing::TempDir() + "events_of_a_weaker_source.conf";
  std::ofstream(file) << "broker = " << nobody << "\nevents = ftp://x\n";
  EXPECT_TRUE(is_used({"--config", file}));
  environment["TASKPIPE_EVENTS"] = "";
  EXPECT_FALSE(is_used({"--config", file}));
  environment["TASKPIPE_BROKER"] = "";
  EXPECT_TRUE(is_used({"--config", file}));
  EXPECT_FALSE(is_used({"--config", file, "-b", nobody}));
}

TEST_F(App, NoBrokerIsSaidWithTheRemedy) {
  // Port 1 of this host: nobody listens there.
  EXPECT_EQ(run({"health", "--broker", "tcp://127.0.0.1:1", "--connect-timeout", "200ms"}),
            ExitCode::unreachable);
  EXPECT_THAT(err.str(), AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("TASKPIPE_BROKER")));
}

}  // namespace
}  // namespace taskpipe::cli
