// A client program in virtual time: the real session core under a user who submits, waits, asks,
// cancels, and keeps a notebook of ids that outlives the program.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/src/session_core.hpp"
#include "tests/simulation/world.hpp"

namespace taskpipe::simulation {

class ClientProcess {
 public:
  ClientProcess(World& world, NodeId node);

  void start();
  [[nodiscard]] bool running() const { return core_ != nullptr; }
  void kill();  // and back after a while, as a new process with the same notebook

  // One act of its user, drawn at random.
  void act();
  // Waits for every task whose submit was acknowledged, and asks for it by name.
  void audit();
  // After the audit: which submits and waits are still without an answer.
  void report_unanswered();
  // Acknowledged tasks whose end it was not told yet, and submits without an answer.
  [[nodiscard]] std::size_t open() const;

 private:
  struct Page {  // of the notebook: one task
    client::PreparedTask task;
    bool acknowledged = false;
    bool refused = false;   // for certain, by its only submit
    bool doubtful = false;  // an earlier submit of it had no answer
    bool in_workflow = false;
    bool ended = false;
  };
  struct Call {
    std::vector<TaskId> tasks;  // what it is about
    std::set<std::size_t> refused;
    bool submits = false;
    bool cancels = false;
    bool runs = false;  // submits, and waits for what is accepted
    MonotonicTime begun{};
  };

  void submit_batch();
  void submit_workflow();
  void submit_again();
  void cancel_some();
  void ask_some();
  void wait_for(std::vector<TaskId> ids);
  [[nodiscard]] client::PreparedTask prepare(bool short_only = false);
  [[nodiscard]] std::vector<TaskId> pick(std::size_t most, bool (*suits)(const Page&));
  client::CallId begin(client::CallCommand command, Call call, std::optional<Millis> timeout);

  void receive(const Packet& packet);
  void wake_at(MonotonicTime when);
  void turn();
  void carry_out(MonotonicTime now);
  void deliver(client::Delivered delivered);
  void on_submit_over(const Call& call);
  void on_accepted(const TaskId& task);
  void on_end(const DoneTask& done);
  void on_answer(const Call& call, const Message& reply);
  void on_failure(const Call& call, const ClientError& error);

  World& world_;
  const NodeId node_;
  Random random_;
  std::map<TaskId, Page> notebook_;  // outlives the process
  std::uint32_t batches_ = 0;
  std::uint64_t starts_ = 0;

  // Of the present process.
  Life life_;
  std::unique_ptr<client::SessionCore> core_;
  client::Effects effects_;
  std::map<client::CallId, Call> calls_;
  std::uint64_t last_call_ = 0;
  std::vector<Packet> inbox_;
  SocketId socket_ = 0;
  std::optional<MonotonicTime> wake_;
};

}  // namespace taskpipe::simulation
