#include "client/cli/invocation.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "client/cli/display_text.hpp"
#include "client/cli/documents.hpp"

namespace taskpipe::cli {
namespace {

process::ProgramInfo info_of(const Command& command) {
  process::ProgramInfo info;
  info.program = "taskpipe " + command.name;
  info.config_name = kConfigName;
  info.summary = command.summary;
  info.usage = command.arguments.empty() ? "[options]" : command.arguments + " [options]";
  info.version = TASKPIPE_VERSION;
  if (!command.examples.empty()) info.epilogue = "Examples:\n" + command.examples + "\n";
  info.epilogue += exit_code_help();
  return info;
}

// What to do about a refusal, where the text of the broker cannot know our commands.
std::string_view remedy_of(const ClientError& error) {
  if (is_address_error(error) && error.error.field == "events") {
    return "give another address with --events or TASKPIPE_EVENTS";
  }
  if (error.failure == CallFailure::unreachable || is_address_error(error)) {
    return "give another address with --broker or TASKPIPE_BROKER";
  }
  if (error.failure != CallFailure::refused) return "";
  switch (error.error.code) {
    case ErrorCode::unknown_task: return "'taskpipe list' shows the tasks there are";
    case ErrorCode::unsatisfiable:
      return "'taskpipe tools' and 'taskpipe workers' show what there is; --wait-for-capacity "
             "waits for more";
    default: return "";
  }
}

// How strong the source is that has set an option; 0: none has.
int strength_of(std::string_view option, const process::ParsedOptions& parsed) {
  int strength = 0;
  for (const process::Setting& setting : parsed.settings) {  // the strongest come last
    if (setting.name != option) continue;
    const bool is_of_file = setting.origin.find(':') != std::string::npos;  // "FILE:7: broker"
    strength = is_of_file ? 1 : setting.origin.starts_with("--") ? 3 : 2;
  }
  return strength;
}

}  // namespace

Invocation::Invocation(const Command& command, process::OptionSources sources, Console& console)
    : command_(command), sources_(std::move(sources)), console_(console), table_(info_of(command)) {
  client_options_.name = "taskpipe " + command.name;
  table_.allow_positional();
  table_.command_line_only(true);
}

void Invocation::declare_common_options() {
  table_.command_line_only(false);
  table_.group("Every command (also as TASKPIPE_BROKER and so on, and in the configuration file)");
  table_.text(
      "broker,b", client_options_.broker, "ADDRESS",
      "Where the broker is: host, host:port, tcp://host:port or ipc://path. Nothing = where "
      "--join says, else tcp://127.0.0.1:7610.");
  table_.text("join", client_options_.join, "FILE",
              "The join file with your keys, for a broker that asks for them. Where --broker is "
              "given, it counts.");
  table_.text("events", client_options_.events, "ADDRESS",
              "Where its events come from; nothing = where the broker says.");
  table_.text("user", client_options_.user, "NAME",
              "Whose tasks; nothing = the login name. With keys, the key says.");
  table_.duration("connect-timeout", client_options_.connect_timeout, {.min = Millis{1}},
                  "How long to look for the broker.");
  table_.duration("request-timeout", client_options_.request_timeout, {.min = Millis{1}},
                  "How long to wait for an answer.");
  table_.flag("json", json_, "Print JSON for programs: one document, or one per line of a stream.");
  table_.choice("color", color_, {"auto", "always", "never"},
                "Whether to colour; auto: on a terminal, unless NO_COLOR is set.");
}

std::optional<ExitCode> Invocation::parse(ArgumentCount count) {
  declare_common_options();  // last, so that --help begins with what is particular
  if (form_ != nullptr) {
    *form_ = {table_.rows(), count};
    return ExitCode::success;
  }
  auto parsed = table_.parse(sources_);
  if (!parsed) {
    json_ = asks_for_json(sources_);  // it may stand behind the mistake
    return usage_error(parsed.error());
  }
  if (parsed->print) {
    console_.out << *parsed->print;
    return ExitCode::success;
  }
  arguments_ = std::move(parsed->positional);
  // They were meant for the broker that the weaker source names: `-b` alone means another one.
  if (strength_of("events", *parsed) < strength_of("broker", *parsed)) {
    client_options_.events.clear();
  }
  console_.colours = wants_colours(color_, console_.out_is_terminal);
  if (const auto empty = empty_value(*parsed)) return usage_error(*empty);
  if (arguments_.size() < count.least) {
    return usage_error("an argument is missing: taskpipe " + command_.name + " " +
                       command_.arguments);
  }
  if (arguments_.size() > count.most) {
    return usage_error("unexpected argument '" + arguments_[count.most] + "'");
  }
  return std::nullopt;
}

std::optional<Error> Invocation::empty_value(const process::ParsedOptions& parsed) const {
  for (const process::Setting& setting : parsed.settings) {
    const auto row =
        std::find_if(table_.rows().begin(), table_.rows().end(),
                     [&setting](const auto& option) { return option.long_name() == setting.name; });
    if (!setting.value.empty() || row == table_.rows().end() || !row->command_line_only) continue;
    return Error{
        ErrorCode::invalid,
        setting.origin + ": its value is empty; give one, or leave " + setting.origin + " out",
        setting.name};
  }
  return std::nullopt;
}

bool asks_for_json(const process::OptionSources& sources) {
  const auto& words = sources.arguments;
  const auto end = std::find(words.begin(), words.end(), "--");
  if (std::find(words.begin(), end, "--json") != end) return true;
  const auto value = sources.environment ? sources.environment("TASKPIPE_JSON") : std::nullopt;
  return value && (*value == "1" || *value == "true" || *value == "yes" || *value == "on");
}

ExitCode complain_of_usage(Console& console, bool json, const Error& error) {
  console.complain(json ? to_json_text(error_document({CallFailure::refused, error, {}}))
                        : error.text);
  return ExitCode::usage;
}

CommandForm form_of(const Command& command) {
  std::ostringstream nowhere;
  Console console{nowhere, nowhere};
  Invocation call(command, {}, console);
  CommandForm form;
  call.form_ = &form;
  command.run(call);
  return form;
}

Client& Invocation::client() {
  if (!client_) {
    interrupts_.emplace();
    client_.emplace(client_options_);
  }
  return *client_;
}

CallOptions Invocation::asking() {
  static_cast<void>(client());  // makes sure that there are interrupts
  CallOptions options;
  options.stop = interrupts_->token();
  return options;
}

CallOptions Invocation::waiting(Millis timeout) {
  CallOptions options = asking();
  if (timeout > Millis::zero()) options.timeout = timeout;
  return options;
}

void Invocation::report(const ClientError& error) {
  if (json_) {
    console_.complain(to_json_text(error_document(error)));
    return;
  }
  std::string text = "taskpipe: " + printable(error.text());
  if (error.error.code != ErrorCode::ok) {
    text += " (" + std::string(name_of(error.error.code));
    if (!error.error.field.empty()) text += ", field " + printable(error.error.field);
    text += ")";
  }
  console_.complain(text);
}

ExitCode Invocation::fail(const ClientError& error) {
  console_.out << std::flush;  // what was printed before stands before it
  if (error.failure == CallFailure::stopped && !json_) {
    console_.complain("taskpipe: interrupted");
  } else {
    report(error);
    const std::string_view remedy = remedy_of(error);
    if (!json_ && !remedy.empty()) console_.complain("  " + std::string(remedy));
  }
  return exit_code_of(error);
}

ExitCode Invocation::fail_waiting(const ClientError& error, const std::string& ids) {
  const ExitCode code = fail(error);
  const bool goes_on = code == ExitCode::interrupted || code == ExitCode::timed_out;
  if (goes_on && !json_) {
    console_.complain("  what was submitted goes on; to wait for it:  taskpipe wait " + ids +
                      "\n  to stop it:  taskpipe cancel " + ids);
  }
  return code;
}

ExitCode Invocation::usage_error(const Error& error) {
  if (json_) return complain_of_usage(console_, true, error);
  const std::string text = "taskpipe " + command_.name + ": " + printable(error.text) +
                           "\n  'taskpipe help " + command_.name + "' shows how it is used";
  return complain_of_usage(console_, false, Error{error.code, text, error.field});
}

ExitCode Invocation::usage_error(std::string text) {
  return usage_error(Error{ErrorCode::invalid, std::move(text), {}});
}

void Invocation::print(const Value& document) {
  console_.out << to_json_text(document) << '\n' << std::flush;
}

}  // namespace taskpipe::cli
