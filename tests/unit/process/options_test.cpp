#include "common/process/options.hpp"

#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.hpp"

namespace taskpipe::process {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OptionsTest : public ::testing::Test {
 protected:
  OptionsTest() {
    table.group("Network");
    table.text("bind,b", bind, "ENDPOINT", "Where clients connect.");
    table.list("label", labels, "KEY=VALUE", "A label of this worker.");
    table.flag("insecure", insecure, "Allow peers without keys.");
    table.flag("colour", colour, "Paint.");
    table.group("Limits");
    table.duration("lease", lease, {Millis{1000}, Millis{3'600'000}}, "How long to wait.");
    table.size("journal-size", journal_size, {.min = 1U << 20U}, "How large it may grow.");
    table.integer<std::uint16_t>("slots", slots, {1, 4096}, "Attempts at a time.");
    table.integer<std::int32_t>("priority", priority, {}, "Larger runs earlier.");
    table.number("share", share, {0.0, 1.0}, "Part of the node.");
    table.choice("log-format", log_format, {"text", "json"}, "How lines look.");
  }

  tl::expected<ParsedOptions, Error> parse(std::vector<std::string> arguments) {
    OptionSources sources;
    sources.arguments = std::move(arguments);
    sources.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto it = environment.find(name);
      return it == environment.end() ? std::nullopt : std::optional(it->second);
    };
    sources.config_files = config_files;
    return table.parse(sources);
  }
  Error error_of(std::vector<std::string> arguments) {
    const auto parsed = parse(std::move(arguments));
    EXPECT_FALSE(parsed.has_value());
    return parsed.has_value() ? Error{} : parsed.error();
  }
  std::string config(const std::string& text) {
    const std::string path = folder / "broker.conf";
    std::ofstream(path) << text;
    return path;
  }

  testing::TemporaryFolder folder;
  std::map<std::string, std::string> environment;
  std::vector<std::string> config_files;

  std::string bind = "tcp://127.0.0.1:5555";
  std::vector<std::string> labels;
  bool insecure = false;
  bool colour = true;
  Millis lease{30'000};
  std::uint64_t journal_size = 1U << 30U;
  std::uint16_t slots = 2;
  std::int32_t priority = 0;
  double share = 0.5;
  std::string log_format = "text";
  OptionTable table{{.program = "taskpipe-broker",
                     .config_name = "broker",
                     .summary = "Routes tasks to workers.",
                     .version = "1.2.3",
                     .epilogue = "Example: taskpipe-broker --bind tcp://*:5555"}};
};

TEST_F(OptionsTest, DefaultsStayWithoutSources) {
  const auto parsed = parse({});
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(bind, "tcp://127.0.0.1:5555");
  EXPECT_EQ(lease, Millis{30'000});
  EXPECT_TRUE(colour);
  EXPECT_FALSE(parsed->print);
  EXPECT_THAT(parsed->settings, IsEmpty());
}

TEST_F(OptionsTest, EveryTypeFromTheCommandLine) {
  const auto parsed = parse({"--bind", "tcp://*:1", "--label", "a=1", "--label=b=2", "--insecure",
                             "--colour=no", "--lease=5m", "--journal-size", "64M", "--slots", "12",
                             "--priority", "-5", "--share", "0.25", "--log-format", "json"});
  ASSERT_TRUE(parsed.has_value()) << parsed.error().text;
  EXPECT_EQ(bind, "tcp://*:1");
  EXPECT_THAT(labels, ElementsAre("a=1", "b=2"));
  EXPECT_TRUE(insecure);
  EXPECT_FALSE(colour);
  EXPECT_EQ(lease, Millis{300'000});
  EXPECT_EQ(journal_size, 64U << 20U);
  EXPECT_EQ(slots, 12);
  EXPECT_EQ(priority, -5);
  EXPECT_EQ(share, 0.25);
  EXPECT_EQ(log_format, "json");
}

TEST_F(OptionsTest, ShortFormsAndTheLastOneWins) {
  ASSERT_TRUE(parse({"-b", "one", "--bind", "two", "-bthree"}).has_value());
  EXPECT_EQ(bind, "three");
}

TEST_F(OptionsTest, CommandLineBeforeEnvironmentBeforeFileBeforeDefault) {
  config_files = {config("bind = file\nlease = 1m\nslots = 3\n")};
  environment = {{"TASKPIPE_BIND", "environment"}, {"TASKPIPE_LEASE", "2m"}};
  const auto parsed = parse({"--bind", "line"});
  ASSERT_TRUE(parsed.has_value()) << parsed.error().text;
  EXPECT_EQ(bind, "line");
  EXPECT_EQ(lease, Millis{120'000});
  EXPECT_EQ(slots, 3);
  EXPECT_EQ(priority, 0);
  EXPECT_EQ(parsed->config_file, config_files.front());
  EXPECT_EQ(parsed->settings.size(), 6U);
  EXPECT_EQ(parsed->settings.back().origin, "--bind");
}

TEST_F(OptionsTest, AListIsReplacedBySourceAndNotMixed) {
  config_files = {config("label = a=1\nlabel = b=2\n")};
  ASSERT_TRUE(parse({}).has_value());
  EXPECT_THAT(labels, ElementsAre("a=1", "b=2"));
  environment = {{"TASKPIPE_LABEL", "c=3,d=4"}};
  ASSERT_TRUE(parse({}).has_value());
  EXPECT_THAT(labels, ElementsAre("c=3", "d=4"));
  ASSERT_TRUE(parse({"--label", "e=5"}).has_value());
  EXPECT_THAT(labels, ElementsAre("e=5"));
}

TEST_F(OptionsTest, DashesBecomeUnderscoresInTheEnvironmentAndEmptyIsNotSet) {
  environment = {{"TASKPIPE_JOURNAL_SIZE", "2M"}, {"TASKPIPE_BIND", ""}, {"TASKPIPE_OTHER", "x"}};
  ASSERT_TRUE(parse({}).has_value());
  EXPECT_EQ(journal_size, 2U << 20U);
  EXPECT_EQ(bind, "tcp://127.0.0.1:5555");
}

TEST_F(OptionsTest, WhatBelongsToOneCallComesFromTheCommandLineAlone) {
  std::string script;
  table.command_line_only(true);
  table.text("script", script, "FILE", "What to run.");
  environment["TASKPIPE_SCRIPT"] = "of-the-environment";
  ASSERT_TRUE(parse({}).has_value());
  EXPECT_THAT(script, IsEmpty());
  ASSERT_TRUE(parse({"--script", "given"}).has_value());
  EXPECT_EQ(script, "given");
  const std::string path = config("script = of-the-file\n");
  EXPECT_THAT(error_of({"--config", path}).text, HasSubstr("unknown key 'script'"));
}

TEST_F(OptionsTest, TheFirstExistingFileIsRead) {
  const std::string present = config("slots = 7\n");
  config_files = {folder / "missing.conf", present, folder / "other.conf"};
  ASSERT_TRUE(parse({}).has_value());
  EXPECT_EQ(slots, 7);
}

TEST_F(OptionsTest, AnExplicitFileReplacesTheSearch) {
  config_files = {config("slots = 7\n")};
  const std::string other = folder / "other.conf";
  std::ofstream(other) << "slots = 9\n";
  ASSERT_TRUE(parse({"--config", other}).has_value());
  EXPECT_EQ(slots, 9);
  environment = {{"TASKPIPE_CONFIG", other}};
  slots = 2;
  ASSERT_TRUE(parse({}).has_value());
  EXPECT_EQ(slots, 9);
  EXPECT_EQ(parse({"--config", "/dev/null"})->config_file, "/dev/null");
}

TEST_F(OptionsTest, AnExplicitFileMustBeReadable) {
  const std::string missing = folder / "missing.conf";
  EXPECT_THAT(error_of({"--config", missing}).text,
              AllOf(HasSubstr(missing), HasSubstr("No such file")));
  EXPECT_THAT(error_of({"--config", folder.path().string()}).text, HasSubstr("Is a directory"));
  EXPECT_EQ(error_of({"--config", missing}).field, "config");
}

TEST_F(OptionsTest, FileSyntaxCommentsBlanksAndFlags) {
  config_files = {config("# a comment\n\n  bind=tcp://*:9   # another\ninsecure = yes\r\n")};
  ASSERT_TRUE(parse({}).has_value());
  EXPECT_EQ(bind, "tcp://*:9");
  EXPECT_TRUE(insecure);
}

TEST_F(OptionsTest, UnknownOptionSuggestsTheNearest) {
  const Error error = error_of({"--bnid", "x"});
  EXPECT_EQ(error.code, ErrorCode::invalid);
  EXPECT_EQ(error.field, "bnid");
  EXPECT_EQ(error.text, "unknown option '--bnid'; did you mean --bind?");
  EXPECT_THAT(error_of({"--journal=2"}).text, HasSubstr("did you mean --journal-size?"));
  EXPECT_EQ(error_of({"--zzzzzzz"}).text, "unknown option '--zzzzzzz'; --help lists them");
  EXPECT_THAT(error_of({"-x"}).text, HasSubstr("unknown option '-x'"));
}

TEST_F(OptionsTest, AbbreviationsAreNotGuessed) {
  EXPECT_THAT(error_of({"--lea", "5s"}).text, HasSubstr("did you mean --lease?"));
}

TEST_F(OptionsTest, UnknownKeyNamesFileLineAndNearest) {
  const std::string path = config("bind = x\n\n# c\nleese = 3s\n");
  const Error error = error_of({"--config", path});
  EXPECT_EQ(error.text, path + ":4: unknown key 'leese'; did you mean 'lease'?");
  EXPECT_EQ(error.field, "leese");
  EXPECT_THAT(error_of({"--config", config("[network]\nbind = x\n")}).text,
              HasSubstr(":2: unknown key 'network.bind'; did you mean 'bind'?"));
  EXPECT_THAT(error_of({"--config", config("help = yes\n")}).text, HasSubstr("unknown key 'help'"));
  EXPECT_THAT(error_of({"--config", config("config = x\n")}).text,
              HasSubstr("unknown key 'config'"));
}

TEST_F(OptionsTest, BrokenLinesAreNamed) {
  const std::string path = config("bind = x\nwhat is this\n");
  EXPECT_EQ(error_of({"--config", path}).text,
            path + ":2: 'what is this' is no line of the form 'key = value'");
}

TEST_F(OptionsTest, AKeySetTwiceIsAMistake) {
  const std::string path = config("slots = 3\nbind = x\nslots = 4\n");
  EXPECT_EQ(error_of({"--config", path}).text, path + ":3: slots is set twice; first on line 1");
}

TEST_F(OptionsTest, WrongTypesNameSourceAndExpectation) {
  EXPECT_THAT(error_of({"--lease", "5x"}).text,
              AllOf(HasSubstr("--lease: '5x' is no duration"), HasSubstr("30s")));
  EXPECT_EQ(error_of({"--lease", "5x"}).field, "lease");
  EXPECT_THAT(error_of({"--slots", "many"}).text, HasSubstr("--slots: 'many' is no whole number"));
  EXPECT_THAT(error_of({"--slots", "1.5"}).text, HasSubstr("is no whole number"));
  EXPECT_THAT(error_of({"--share", "half"}).text, HasSubstr("--share: 'half' is no number"));
  EXPECT_THAT(error_of({"--share", "nan"}).text, HasSubstr("is no number"));
  EXPECT_THAT(error_of({"--insecure=maybe"}).text, HasSubstr("'maybe' is neither yes nor no"));
  EXPECT_THAT(error_of({"--log-format", "xml"}).text, HasSubstr("'xml' is not one of text, json"));
  const std::string path = config("\njournal-size = big\n");
  EXPECT_THAT(error_of({"--config", path}).text,
              HasSubstr(path + ":2: journal-size: 'big' is no size"));
  environment = {{"TASKPIPE_SHARE", "x"}};
  EXPECT_THAT(error_of({}).text, HasSubstr("TASKPIPE_SHARE: 'x' is no number"));
}

TEST_F(OptionsTest, AMistakeIsFoundEvenWhereAStrongerSourceWins) {
  environment = {{"TASKPIPE_SLOTS", "many"}};
  EXPECT_THAT(error_of({"--slots", "3"}).text, HasSubstr("TASKPIPE_SLOTS: 'many'"));
}

TEST_F(OptionsTest, RangesAreNamed) {
  EXPECT_EQ(error_of({"--lease", "1ms"}).text,
            "--lease: '1ms' is out of range: it must lie between 1s and 1h");
  EXPECT_EQ(error_of({"--lease", "2h"}).text,
            "--lease: '2h' is out of range: it must lie between 1s and 1h");
  EXPECT_EQ(error_of({"--journal-size", "1K"}).text,
            "--journal-size: '1K' is out of range: it must be at least 1M");
  EXPECT_THAT(error_of({"--slots", "0"}).text, HasSubstr("between 1 and 4096"));
  EXPECT_THAT(error_of({"--slots", "65537"}).text, HasSubstr("between 1 and 4096"));
  EXPECT_THAT(error_of({"--priority", "2147483648"}).text, HasSubstr("must lie between"));
  EXPECT_THAT(error_of({"--share", "-0.1"}).text, HasSubstr("between 0 and 1"));
  EXPECT_TRUE(parse({"--lease", "1s", "--slots", "4096", "--share", "1"}).has_value());
  EXPECT_TRUE(parse({"--lease", "1h", "--slots", "1", "--share", "0"}).has_value());
}

TEST_F(OptionsTest, AMissingValueNamesTheOption) {
  const Error error = error_of({"--lease"});
  EXPECT_EQ(error.text, "--lease: its value is missing");
  EXPECT_EQ(error.field, "lease");
  EXPECT_THAT(error_of({"--lease", "--insecure"}).text, HasSubstr("--lease: its value is missing"));
}

TEST_F(OptionsTest, ArgumentsAreRefusedUnlessAllowed) {
  EXPECT_THAT(error_of({"start"}).text, HasSubstr("unexpected argument 'start'"));
  table.allow_positional();
  const auto parsed = parse({"submit", "--slots", "3", "lammps", "--", "--raw", "-x"});
  ASSERT_TRUE(parsed.has_value()) << parsed.error().text;
  EXPECT_THAT(parsed->positional, ElementsAre("submit", "lammps", "--raw", "-x"));
  EXPECT_EQ(slots, 3);
}

TEST_F(OptionsTest, AFlagTakesNoWordOfItsOwn) {
  table.allow_positional();
  const auto parsed = parse({"--insecure", "no"});
  ASSERT_TRUE(parsed.has_value());
  EXPECT_TRUE(insecure);
  EXPECT_THAT(parsed->positional, ElementsAre("no"));
  EXPECT_THAT(parse({"--insecure", "--", "yes", "--slots"})->positional,
              ElementsAre("yes", "--slots"));
}

TEST_F(OptionsTest, AnOptionIsNotTakenForAValue) {
  EXPECT_THAT(error_of({"--bind", "--insecure"}).text, HasSubstr("--bind: its value is missing"));
  EXPECT_THAT(error_of({"--bind", "--slots=3"}).text, HasSubstr("--bind: its value is missing"));
  ASSERT_TRUE(parse({"--bind=--insecure"}).has_value());
  EXPECT_EQ(bind, "--insecure");
}

TEST_F(OptionsTest, HelpIsGroupedWrappedAndComplete) {
  const auto parsed = parse({"--help", "--slots", "nonsense"});
  ASSERT_TRUE(parsed.has_value());
  ASSERT_TRUE(parsed->print.has_value());
  const std::string& text = *parsed->print;
  for (const char* part :
       {"Routes tasks to workers.", "Usage: taskpipe-broker [options]",
        "Network:", "Limits:", "-b [ --bind ] ENDPOINT", "tcp://127.0.0.1:5555]",
        "--lease DURATION", "[default: 30s]", "[default: 1G]", "text|json", "--insecure ",
        "--version", "TASKPIPE_LOG_LEVEL", "Example: taskpipe-broker"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_LT(text.find("Network:"), text.find("Limits:"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), kHelpColumns) << line;
  EXPECT_EQ(parse({"-h"})->print, text);
}

TEST_F(OptionsTest, VersionIsOneLine) {
  EXPECT_EQ(parse({"--version"})->print, "taskpipe-broker 1.2.3\n");
}

TEST_F(OptionsTest, TakesTheWordsOfMain) {
  const char* const argv[] = {"taskpipe-broker", "--slots", "5", "--config", "/dev/null"};
  const auto parsed = table.parse(5, argv);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().text;
  EXPECT_EQ(slots, 5);
}

TEST_F(OptionsTest, StrangeInputIsAnErrorAndNoCrash) {
  for (const char* word : {"-", "--", "---", "--=", "--=x", "-=", "--bind=", "\n", "\xFF\xFE",
                           "--\xFF", "--b%s", ""}) {
    (void)parse({word});
    (void)parse({"--bind", word});
    (void)parse({"--config", config(word)});
    (void)parse({"--config", config("[" + std::string(word))});
    (void)parse({"--config", config(std::string(word) + "=" + word)});
  }
}

TEST(OptionSourcesOfProcess, SearchesUserBeforeSystem) {
  ::setenv("XDG_CONFIG_HOME", "/xdg", 1);
  ::setenv("HOME", "/home/x", 1);
  const auto sources = OptionSources::of_process(0, nullptr, "worker");
  EXPECT_THAT(sources.config_files,
              ElementsAre("/xdg/taskpipe/worker.conf", "/home/x/.config/taskpipe/worker.conf",
                          "/etc/taskpipe/worker.conf"));
  EXPECT_THAT(sources.arguments, IsEmpty());
  EXPECT_EQ(sources.environment("HOME"), "/home/x");
}

}  // namespace
}  // namespace taskpipe::process
