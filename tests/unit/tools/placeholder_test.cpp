#include "worker/tools/placeholder.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace taskpipe::worker {
namespace {

std::vector<Template> templates(std::initializer_list<const char*> texts) {
  std::vector<Template> result;
  for (const char* text : texts) {
    auto parsed = Template::parse(text);
    if (!parsed) {
      ADD_FAILURE() << text << ": " << parsed.error();
    } else {
      result.push_back(std::move(*parsed));
    }
  }
  return result;
}

TEST(Template, FillsInWhatAnAttemptHas) {
  const ValueMap params = {{"n", 3}, {"name", "x y"}};
  Bindings bindings;
  bindings.script = "/s.py";
  bindings.directory = "/d";
  bindings.toolbox = "/t";
  bindings.cpus = 4;
  bindings.params = &params;
  const auto argv =
      expand_arguments(templates({"{script}", "--dir={dir}", "{toolbox}/x", "-j{cpus}", "{param.n}",
                                  "{param.name}", "{param.m=7}", "{param.k=}", "{{}}", ""}),
                       {}, bindings);
  ASSERT_TRUE(argv);
  EXPECT_EQ(*argv, (std::vector<std::string>{"/s.py", "--dir=/d", "/t/x", "-j4", "3", "x y", "7",
                                             "", "{}", ""}));
}

TEST(Template, PassesEveryParameterWhereTheCommandSaysParams) {
  const ValueMap params = {{"b", "two words"}, {"a", 1.5}, {"c", ValueList{1, 2}}};
  Bindings bindings;
  bindings.params = &params;
  const auto argv = expand_arguments(templates({"lmp", "{params}", "end"}),
                                     templates({"-var", "{name}", "{value}"}), bindings);
  ASSERT_TRUE(argv);
  EXPECT_EQ(*argv, (std::vector<std::string>{"lmp", "-var", "a", "1.5", "-var", "b", "two words",
                                             "-var", "c", "[1,2]", "end"}));
}

TEST(Template, RefusesParametersThatLookLikeOptions) {
  for (const char* name : {"-in", "a b", "x;y", "", "ümlaut", "a=b"}) {
    const ValueMap params = {{name, 1}};
    Bindings bindings;
    bindings.params = &params;
    const auto argv = expand_arguments(templates({"{params}"}), templates({"{name}"}), bindings);
    ASSERT_FALSE(argv) << name;
    EXPECT_EQ(argv.error().code, ErrorCode::invalid);
    EXPECT_EQ(argv.error().field, "params." + std::string(name));
  }
}

TEST(Template, NamesAMissingParameter) {
  const ValueMap none;
  for (const ValueMap* params : {static_cast<const ValueMap*>(nullptr), &none}) {
    Bindings bindings;
    bindings.params = params;
    const auto argv = expand_arguments(templates({"{param.mesh}"}), {}, bindings);
    ASSERT_FALSE(argv);
    EXPECT_EQ(argv.error().field, "params.mesh");
  }
}

TEST(Template, RefusesWhatItDoesNotKnow) {
  for (const char* bad :
       {"{scirpt}", "{}", "{param.}", "{open", "close}", "x{params}", "{ script}"}) {
    EXPECT_FALSE(Template::parse(bad)) << bad;
  }
}

TEST(Template, KnowsWhetherItIsLiteral) {
  const auto all = templates({"plain", "{{x}}", "", "{dir}", "a{cpus}"});
  EXPECT_EQ(all[0].literal(), "plain");
  EXPECT_EQ(all[1].literal(), "{x}");
  EXPECT_EQ(all[2].literal(), "");
  EXPECT_EQ(all[3].literal(), std::nullopt);
  EXPECT_EQ(all[4].literal(), std::nullopt);
}

}  // namespace
}  // namespace taskpipe::worker
