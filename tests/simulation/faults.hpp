// Draws trouble from a seed and brings it about.
#pragma once

#include <functional>
#include <vector>

#include "tests/simulation/broker_process.hpp"
#include "tests/simulation/client_process.hpp"
#include "tests/simulation/simulation.hpp"
#include "tests/simulation/worker_process.hpp"

namespace taskpipe::simulation {

struct Parts {
  World& world;
  BrokerProcess& broker;
  std::vector<WorkerProcess*> workers;
  std::vector<ClientProcess*> clients;
};

class Faults {
 public:
  // Trouble of that kind until `end`, one at a time or several on top of each other.
  Faults(Parts parts, Weather weather, MonotonicTime end);
  void start();
  // Undoes what lasts: partitions, full disks, the relay. Whatever is down comes back by itself.
  void heal();

 private:
  void strike_later();
  void strike();

  void kill_broker();
  void cut_power();
  void kill_worker();
  void cut_power_of_worker();
  void lose_worker();
  void drain_worker();
  void kill_client();
  void partition();
  void reset();
  void fail_disk();
  void fill_disk();
  void cut_power_mid_write();
  void pause_broker();
  void pause_worker();
  void stall_disk();
  void step_clock();
  void disturb_messages();

  [[nodiscard]] WorkerProcess& any_worker() {
    return *parts_.workers[random_.below(parts_.workers.size())];
  }

  Parts parts_;
  const Weather weather_;
  const MonotonicTime end_;
  Random random_;
  std::vector<void (Faults::*)()> kinds_;
  bool worker_lost_ = false;
};

}  // namespace taskpipe::simulation
