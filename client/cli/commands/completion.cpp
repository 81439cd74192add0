// taskpipe completion SHELL  ·  taskpipe __complete WORDS…, which the shells' scripts call
#include "client/cli/completion.hpp"

#include <set>
#include <string>
#include <utility>

#include "client/cli/commands/commands.hpp"
#include "client/cli/task_ids.hpp"
#include "common/process/suggestion.hpp"

namespace taskpipe::cli {
namespace {

// Somebody waits at a prompt: a broker that does not answer at once has nothing to offer.
constexpr Millis kConnectPatience{300};
constexpr Millis kAnswerPatience{500};
constexpr std::size_t kMostIds = 50;

ClientOptions options_of(const process::OptionSources& sources) {
  ClientOptions options;
  const auto read = [&sources](const char* name, std::string& target) {
    const auto value = sources.environment ? sources.environment(name) : std::nullopt;
    if (value && !value->empty()) target = *value;
  };
  read("TASKPIPE_BROKER", options.broker);
  read("TASKPIPE_USER", options.user);
  read("TASKPIPE_JOIN", options.join);
  for (std::size_t i = 0; i + 1 < sources.arguments.size(); ++i) {
    const std::string& word = sources.arguments[i];
    if (word == "--broker" || word == "-b") options.broker = sources.arguments[i + 1];
    if (word.starts_with("--broker=")) options.broker = word.substr(word.find('=') + 1);
    if (word == "--join") options.join = sources.arguments[i + 1];
    if (word.starts_with("--join=")) options.join = word.substr(word.find('=') + 1);
    if (word == "--user") options.user = sources.arguments[i + 1];
  }
  options.name = "taskpipe completion";
  options.connect_timeout = kConnectPatience;
  options.request_timeout = kAnswerPatience;
  options.linger = Millis{0};
  return options;
}

void offer(Completion& completion, const std::string& text, const std::string& description) {
  if (!text.starts_with(completion.typed)) return;
  completion.candidates.push_back({printable(text), printable(description)});
}

void offer_tools(Completion& completion, Client& client) {
  const auto tools = client.tools();
  if (!tools) return;
  for (const ToolRow& row : *tools) {
    if (completion.broker == BrokerNames::tools) {
      offer(completion, row.offer.name, row.offer.description);
    } else if (row.offer.name == completion.tool) {
      for (const ScriptOffer& script : row.offer.scripts) offer(completion, script.name, "");
    }
  }
}

void offer_ids(Completion& completion, Client& client) {
  const bool dead = completion.broker == BrokerNames::dead;
  TaskListing listing = dead ? client.dead_letters() : client.list();
  std::set<std::string> workflows;
  for (std::size_t i = 0; i < kMostIds; ++i) {
    const TaskRow* row = listing.next();
    if (row == nullptr) return;
    if (dead || completion.broker == BrokerNames::tasks) {
      offer(completion, row->id.to_string(),
            label_of(row->tool, row->script) + " " + std::string(name_of(row->state)));
    } else if (row->workflow && workflows.insert(row->workflow->to_string()).second) {
      offer(completion, row->workflow->to_string(), label_of(row->tool, row->script) + ", …");
    }
  }
}

}  // namespace

ExitCode run_completion(Invocation& call) {
  if (const auto end = call.parse({1, 1})) return *end;
  const auto script = shell_script(call.arguments().front());
  if (script) {
    call.out() << *script;
    return ExitCode::success;
  }
  const std::string near = process::nearest_name(call.arguments().front(), known_shells());
  return call.usage_error("there is a script for bash, zsh and fish, none for '" +
                          call.arguments().front() + "'" +
                          (near.empty() ? "" : "; did you mean '" + near + "'?"));
}

ExitCode answer_completion(const process::OptionSources& sources, Console& console) {
  Completion completion = complete(sources.arguments);
  if (completion.broker != BrokerNames::none) {
    Client client(options_of(sources));
    const bool of_tools =
        completion.broker == BrokerNames::tools || completion.broker == BrokerNames::scripts;
    of_tools ? offer_tools(completion, client) : offer_ids(completion, client);
    // A script may be a file of one's own as well: --script names it, SCRIPT only its name.
  }
  console.out << completion_lines(completion);
  return ExitCode::success;
}

}  // namespace taskpipe::cli
