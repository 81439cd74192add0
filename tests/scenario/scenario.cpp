#include "tests/scenario/scenario.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace taskpipe::broker::testing {
namespace {

std::uint64_t number(const std::map<std::string, std::string>& options, const std::string& key,
                     std::uint64_t preset) {
  const auto found = options.find(key);
  return found == options.end() ? preset : std::stoull(found->second);
}

Outcome outcome_of(const std::map<std::string, std::string>& options) {
  Outcome outcome = success();
  const auto state = options.find("state");
  if (state == options.end()) return outcome;
  const auto parsed = parse_task_state(state->second);
  if (!parsed) throw std::invalid_argument("no such state: " + state->second);
  outcome.state = *parsed;
  return outcome;
}

}  // namespace

// Messages as one short line each; what differs from run to run (times, session numbers) is left
// out.
struct Printer {
  Scenario& scenario;

  std::string name(const TaskId& id) const {
    const auto found = scenario.task_names_.find(id);
    return found == scenario.task_names_.end() ? id.to_string() : found->second;
  }
  std::string name(const AttemptKey& key) const {
    return name(key.task) + "#" + std::to_string(key.epoch.value()) + "." +
           std::to_string(key.attempt.value());
  }
  template <class Items>
  std::string names(std::string_view title, const Items& items) const {
    if (items.empty()) return "";
    std::string text = " " + std::string(title) + "=";
    for (const auto& item : items) text += (&item == &items.front() ? "" : ",") + name(item);
    return text;
  }

  std::string operator()(const Who& m) const {
    return "WHO epoch=" + std::to_string(m.epoch.value());
  }
  std::string operator()(const Welcome& m) const {
    return "WELCOME epoch=" + std::to_string(m.epoch.value());
  }
  std::string operator()(const Pong&) const { return "PONG"; }
  std::string operator()(const Bye& m) const { return "BYE " + m.reason; }
  std::string operator()(const ErrorReply& m) const {
    return "ERROR " + std::string(name_of(m.error.code)) + " " + m.error.field;
  }
  std::string operator()(const SubmitAck& m) const {
    std::string text = "SUBMIT_ACK";
    for (const auto& item : m.items) {
      text += " " + name(item.id) + "=" + std::string(name_of(item.code));
    }
    return m.error ? text + " (" + m.error->field + ": " + m.error->text + ")" : text;
  }
  std::string operator()(const WorkflowAck& m) const {
    return "WORKFLOW_ACK received=" + std::to_string(m.received) + " " +
           std::string(name_of(m.error.code)) +
           (m.error.field.empty() ? "" : " (" + m.error.field + ")");
  }
  std::string operator()(const Done& m) const {
    std::string text = "DONE";
    for (const auto& task : m.tasks) {
      text += " " + name(task.attempt) + "=" + std::string(name_of(task.outcome.state));
      if (task.outcome.failure != FailureClass::none) {
        text += "/" + std::string(name_of(task.outcome.failure));
      }
    }
    for (const auto& workflow : m.workflows) {
      text += " " + scenario.workflow_names_[workflow.id] + "=" +
              std::to_string(workflow.succeeded) + "/" + std::to_string(workflow.total);
    }
    return text + names("unknown", m.unknown);
  }
  std::string operator()(const Rows& m) const {
    std::string text = "ROWS";
    for (const auto& row : m.rows) {
      text += " " + name(row.id) + "=" + std::string(name_of(row.state));
    }
    return text + names("unknown", m.unknown) + (m.next.empty() ? "" : " more");
  }
  std::string operator()(const CancelAck& m) const {
    std::string text = "CANCEL_ACK";
    for (const auto& item : m.items) {
      text += " " + name(item.id) + "=" + std::string(name_of(item.code)) +
              (item.was_live ? "/live" : "");
    }
    return text;
  }
  std::string operator()(const Reconcile& m) const {
    return "RECONCILE" + names("keep", m.keep) + names("kill", m.kill) + names("resend", m.resend) +
           names("drop", m.drop);
  }
  std::string operator()(const Tasks& m) const {
    std::string text = "TASKS";
    for (const auto& item : m.items) text += " " + name(item.attempt);
    return text;
  }
  std::string operator()(const ResultAck& m) const {
    std::string text = "RESULT_ACK";
    for (const auto& item : m.items) {
      text += " " + name(item.attempt) + "=" + std::string(name_of(item.code));
    }
    return text;
  }
  std::string operator()(const Kill& m) const {
    std::string text = "KILL";
    for (const auto& item : m.items) text += " " + name(item.attempt);
    return text;
  }
  std::string operator()(const HealthReply& m) const {
    return "HEALTH " + std::string(m.healthy ? "healthy" : "unhealthy") +
           " pending=" + std::to_string(m.tasks_pending) +
           " running=" + std::to_string(m.tasks_running);
  }
  template <class Other>
  std::string operator()(const Other&) const {
    return "(a message that transcripts do not print)";
  }
};

TaskId Scenario::task(const std::string& name) {
  const auto found = tasks_.find(name);
  if (found != tasks_.end()) return found->second;
  const TaskId id = TaskIdPrefix{1, 2}.id(static_cast<std::uint32_t>(tasks_.size() + 1));
  task_names_[id] = name;
  return tasks_[name] = id;
}

WorkflowId Scenario::workflow(const std::string& name) {
  const auto found = workflows_.find(name);
  if (found != workflows_.end()) return found->second;
  const WorkflowId id(3, workflows_.size() + 1);
  workflow_names_[id] = name;
  return workflows_[name] = id;
}

AttemptKey Scenario::attempt(const std::string& text) {
  const auto hash = text.find('#');
  const auto dot = text.find('.', hash);
  if (hash == std::string::npos || dot == std::string::npos) {
    throw std::invalid_argument("an attempt is written task#epoch.attempt, not " + text);
  }
  return {task(text.substr(0, hash)), Epoch(std::stoull(text.substr(hash + 1, dot - hash - 1))),
          Attempt(static_cast<std::uint32_t>(std::stoul(text.substr(dot + 1))))};
}

Scenario::PeerState& Scenario::peer(const std::string& name) {
  const auto found = peers_.find(name);
  if (found == peers_.end()) throw std::invalid_argument("nobody is called " + name);
  return found->second;
}

std::vector<TaskId> Scenario::tasks_from(const Words& words, std::size_t first) {
  std::vector<TaskId> ids;
  for (std::size_t i = first; i < words.size(); ++i) ids.push_back(task(words[i]));
  return ids;
}

void Scenario::connect_client(const Words& words) {
  PeerState& state = peers_[words.at(1)];
  state.peer = {Port::client, ++last_routing_};
  state.session = cluster_.connect_client(state.peer.routing, words.at(1));
}

// worker NAME tool=T cpus=N credit=N incarnation=N running=a#1.1,… ended=b#1.1,…
void Scenario::connect_worker(const Words& words, const Options& options) {
  PeerState& state = peers_[words.at(1)];
  if (state.uuid.is_nil()) state.uuid = PeerUuid(4, peers_.size());
  if (options.contains("tool")) state.tool = options.at("tool");
  state.cpus = static_cast<std::uint32_t>(number(options, "cpus", std::max(state.cpus, 1U)));
  state.incarnation = number(options, "incarnation", state.incarnation);
  state.peer = {Port::worker, ++last_routing_};
  WorkerOffer offer = offer_of(state.tool, state.cpus);
  const auto parse_list = [&](const std::string& key, std::vector<AttemptKey>& out) {
    if (!options.contains(key)) return;
    std::istringstream list(options.at(key));
    for (std::string item; std::getline(list, item, ',');) out.push_back(attempt(item));
  };
  parse_list("running", offer.running);
  parse_list("ended", offer.unacknowledged);
  state.session = cluster_.connect_worker(state.peer.routing, state.uuid, words.at(1),
                                          std::move(offer), state.incarnation);
  const std::uint64_t credit = number(options, "credit", 100);
  if (credit > 0) cluster_.say(state.peer, state.session, Credit{credit, 1'000'000});
}

void Scenario::submit(const Words& words, const Options& options) {
  auto spec = std::make_shared<TaskSpec>();
  spec->tool = options.contains("tool") ? options.at("tool") : "tool";
  spec->priority = static_cast<std::int32_t>(number(options, "priority", 0));
  spec->resources.cpus = static_cast<std::uint32_t>(number(options, "cpus", 0));
  spec->wait_for_capacity = number(options, "wait_for_capacity", 0) != 0;
  const PeerState& client = peer(words.at(1));
  cluster_.say(client.peer, client.session, submit_of(spec, tasks_from(words, 2)),
               number(options, "resend", 0) != 0, last_submit_ = last_submit_.next());
}

// workflow CLIENT NAME a b:a c:a+b on_failure=cancel — a task, and behind ':' what it waits for
void Scenario::submit_workflow(const Words& words, const Options& options) {
  SubmitWorkflow message;
  message.id = workflow(words.at(2));
  message.specs.push_back(spec_of("tool"));
  if (options.contains("on_failure")) message.on_failure = OnFailure::cancel_dependents;
  std::map<std::string, std::uint32_t> index;
  for (std::size_t i = 3; i < words.size(); ++i) {
    index[words[i].substr(0, words[i].find(':'))] = static_cast<std::uint32_t>(i - 3);
  }
  for (std::size_t i = 3; i < words.size(); ++i) {
    const auto colon = words[i].find(':');
    message.items.push_back({task(words[i].substr(0, colon)), 0, Payload(), {}});
    Dependencies dependencies;
    if (colon != std::string::npos) {
      std::istringstream after(words[i].substr(colon + 1));
      for (std::string name; std::getline(after, name, '+');) {
        dependencies.after.push_back(index.at(name));
      }
    }
    message.dependencies.push_back(std::move(dependencies));
  }
  message.total = static_cast<std::uint32_t>(message.items.size());
  const PeerState& client = peer(words.at(1));
  cluster_.say(client.peer, client.session, std::move(message));
}

// started|result|returned|refused WORKER a#1.1 …
void Scenario::worker_says(const Words& words, const Options& options) {
  const PeerState& worker = peer(words.at(1));
  Started started;
  Result result;
  Returned returned;
  TasksAck refused;
  for (std::size_t i = 2; i < words.size(); ++i) {
    const AttemptKey key = attempt(words[i]);
    started.items.push_back({key, 1});
    result.items.push_back({key, outcome_of(options)});
    returned.attempts.push_back(key);
    refused.refused.push_back({key, Error{ErrorCode::invalid, "no such script", "script"}});
  }
  Message message = std::move(started);
  if (words[0] == "result") message = std::move(result);
  if (words[0] == "returned") message = std::move(returned);
  if (words[0] == "refused") message = std::move(refused);
  cluster_.say(worker.peer, worker.session, std::move(message));
}

void Scenario::execute(const Words& words, const Options& options) {
  const std::string& verb = words.at(0);
  if (verb == "client") return connect_client(words);
  if (verb == "worker") return connect_worker(words, options);
  if (verb == "submit") return submit(words, options);
  if (verb == "workflow") return submit_workflow(words, options);
  if (verb == "started" || verb == "result" || verb == "returned" || verb == "refused") {
    return worker_says(words, options);
  }
  if (verb == "advance") return cluster_.advance(Millis(std::stoll(words.at(1))));
  if (verb == "restart") return cluster_.restart();
  if (verb == "collect") return cluster_.collect_garbage(1);
  if (verb == "stall") return cluster_.apply(command::LoopStalled{Millis(std::stoll(words.at(1)))});
  if (verb == "disk") return cluster_.apply(command::StorageState{words.at(1) == "free", 1});
  const PeerState& who = peer(words.at(1));
  if (verb == "unreachable") return cluster_.apply(command::PeerUnreachable{who.peer});
  if (verb == "drained") return cluster_.say(who.peer, who.session, Drained{words.at(2) == "end"});
  if (verb == "health") return cluster_.say(who.peer, who.session, HealthRequest{});
  if (verb == "wait") return cluster_.say(who.peer, who.session, Wait{tasks_from(words, 2), {}});
  if (verb == "wait_workflow") {
    return cluster_.say(who.peer, who.session, Wait{{}, {workflow(words.at(2))}});
  }
  if (verb == "status") {
    return cluster_.say(who.peer, who.session, Query{{tasks_from(words, 2), {}, {}, ""}, "", 0});
  }
  if (verb == "list") return cluster_.say(who.peer, who.session, Query{{}, "", 100});
  if (verb == "cancel") {
    return cluster_.say(who.peer, who.session, Cancel{tasks_from(words, 2), {}, 0});
  }
  throw std::invalid_argument("unknown command " + verb);
}

void Scenario::collect_outputs(std::string& out) {
  for (auto& [name, state] : peers_) {
    for (const auto& message : cluster_.take(state.peer)) {
      out += "> " + name + " " + std::visit(Printer{*this}, message) + "\n";
    }
  }
}

std::string Scenario::run(std::string_view transcript) {
  std::string out;
  std::istringstream lines{std::string(transcript)};
  std::size_t line_number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++line_number;
    if (line.starts_with(">")) continue;
    out += line + "\n";
    if (line.empty() || line.starts_with("#")) continue;
    Words words;
    Options options;
    std::istringstream parts(line);
    for (std::string part; parts >> part;) {
      const auto equals = part.find('=');
      if (equals == std::string::npos) {
        words.push_back(part);
      } else {
        options[part.substr(0, equals)] = part.substr(equals + 1);
      }
    }
    try {
      execute(words, options);
    } catch (const std::exception& error) {
      throw std::invalid_argument("line " + std::to_string(line_number) + ": " + error.what());
    }
    collect_outputs(out);
  }
  return out;
}

}  // namespace taskpipe::broker::testing
