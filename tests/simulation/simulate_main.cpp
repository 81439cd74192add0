// simulate: lives of a cluster in virtual time, and whether the promise was kept in them.
//
//   simulate --seed N [--hours H] [--minutes M] [--weather NAME] [--first] [--verbose] [--task ID]
//   simulate --list FILE
//
// Runs lives of M virtual minutes (10), with the seeds N, N+1, …, until H virtual hours have
// passed; one life without --hours. --first ends at the first failing one. --verbose tells a life's
// story,
// --task all that was seen of one task. --list runs the lives of a file, a line each: SEED MINUTES
// WEATHER and a remark.
//
// Prints for each failing life the command that repeats it. Exit status: 0 = none failed, 1 = some
// did, or the trouble that should have come did not; 2 = usage.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/simulation/simulation.hpp"

namespace {

using taskpipe::simulation::Options;
using taskpipe::simulation::Report;
using taskpipe::simulation::Weather;

[[noreturn]] void usage(const std::string& why) {
  std::fprintf(
      stderr,
      "simulate: %s\n"
      "usage: simulate --seed N [--hours H] [--minutes M] [--first] [--verbose]\n"
      "       [--task ID] [--weather calm|crashes|network|disk|pauses|relay|poison|storm]\n"
      "       simulate --list FILE\n",
      why.c_str());
  std::exit(2);
}

double number(std::string_view name, const char* text) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || value < 0) {
    usage(std::string(name) + ": '" + text + "' is no number");
  }
  return value;
}

Weather weather_named(const std::string& name) {
  for (int w = 0; w <= static_cast<int>(taskpipe::simulation::kLastWeather); ++w) {
    if (name == name_of(static_cast<Weather>(w))) return static_cast<Weather>(w);
  }
  usage("there is no weather '" + name + "'");
}

taskpipe::Millis in_minutes(double minutes) {
  return taskpipe::Millis(static_cast<std::int64_t>(minutes * 60'000));
}

struct Totals {
  std::uint64_t lives = 0;
  std::uint64_t failed = 0;
  std::uint64_t submitted = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t ended = 0;
  std::uint64_t executions = 0;
  std::uint64_t events = 0;
  double hours = 0;
  std::map<std::string, std::uint64_t> trouble;

  void add(const Report& report) {
    ++lives;
    failed += report.violations.empty() ? 0 : 1;
    submitted += report.submitted;
    acknowledged += report.acknowledged;
    ended += report.ended;
    executions += report.executions;
    events += report.events;
    hours += static_cast<double>(report.simulated.count()) / 3.6e12;
    const auto& c = report.counters;
    trouble["kills of the broker"] += c.broker_kills;
    trouble["kills of workers"] += c.worker_kills;
    trouble["kills of clients"] += c.client_kills;
    trouble["workers asked to stop"] += c.worker_drains;
    trouble["workers killed by what they ran"] += c.poisoned_workers;
    trouble["recalls of unstarted work"] += c.recalls;
    trouble["power losses"] += c.power_losses;
    trouble["torn records cut"] += c.records_cut;
    trouble["disk faults"] += c.disk_faults;
    trouble["full disks"] += c.full_disks;
    trouble["partitions"] += report.network.partitions;
    trouble["connections broken"] += report.network.resets;
    trouble["messages lost, repeated or reordered"] +=
        report.network.lost + report.network.duplicated + report.network.reordered;
    trouble["pauses of the broker"] += c.broker_pauses;
    trouble["pauses of workers"] += c.worker_pauses;
    trouble["steps of the clock"] += c.clock_steps;
    trouble["journal segments given up"] += c.segments_released;
  }
};

void print_failure(const Report& report, const Options& options) {
  const double minutes = static_cast<double>(options.duration.count()) / 60'000;
  std::printf("FAILED: repeat by ./run simulate --seed %" PRIu64
              " --minutes %g --weather %s "
              "--verbose\n",
              options.seed, minutes, name_of(report.weather));
  for (const auto& violation : report.violations) std::printf("    %s\n", violation.c_str());
}

void print_totals(const Totals& totals) {
  std::printf("%" PRIu64 " lives, %.1f virtual hours, %" PRIu64 " events: %" PRIu64
              " tasks submitted, %" PRIu64 " acknowledged, %" PRIu64 " of these ended, %" PRIu64
              " runs of tools\n",
              totals.lives, totals.hours, totals.events, totals.submitted, totals.acknowledged,
              totals.ended, totals.executions);
  const char* separator = "";
  for (const auto& [kind, count] : totals.trouble) {
    std::printf("%s%" PRIu64 " %s", separator, count, kind.c_str());
    separator = ", ";
  }
  std::printf("\nfailed: %" PRIu64 "\n", totals.failed);
}

// Trouble that does not come makes every verdict worthless.
bool all_trouble_came(const Totals& totals) {
  constexpr std::uint64_t kEnoughLives = 100;
  if (totals.lives < kEnoughLives) return true;
  bool all = true;
  for (const auto& [kind, count] : totals.trouble) {
    if (count > 0) continue;
    std::printf("there were no %s: this run says nothing about them\n", kind.c_str());
    all = false;
  }
  return all;
}

void live(const Options& options, Totals& totals) {
  const Report report = simulate(options);
  totals.add(report);
  if (!report.violations.empty()) print_failure(report, options);
}

// "SEED MINUTES WEATHER remark" per line.
void live_list(const char* path, Totals& totals) {
  std::ifstream file(path);
  if (!file) usage(std::string("cannot read ") + path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    Options options;
    double minutes = 0;
    std::string weather;
    if (!(words >> options.seed >> minutes >> weather)) usage("cannot read the line: " + line);
    options.duration = in_minutes(minutes);
    options.weather = weather_named(weather);
    live(options, totals);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  double hours = 0;
  bool first_only = false;
  const char* list = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--verbose" || name == "--first") {
      (name == "--first" ? first_only : options.verbose) = true;
      continue;
    }
    if (i + 1 == argc) usage(std::string(name) + " needs a value, or is unknown");
    const char* value = argv[++i];
    if (name == "--seed") {
      options.seed = static_cast<std::uint64_t>(number(name, value));
    } else if (name == "--hours") {
      hours = number(name, value);
    } else if (name == "--minutes") {
      options.duration = in_minutes(number(name, value));
    } else if (name == "--weather") {
      options.weather = weather_named(value);
    } else if (name == "--list") {
      list = value;
    } else if (name == "--task") {
      options.follow = taskpipe::TaskId::parse(value);
      if (!options.follow) usage(std::string("--task: '") + value + "' is no task id");
    } else {
      usage("unknown option '" + std::string(name) + "'");
    }
  }
  Totals totals;
  if (list != nullptr) {
    live_list(list, totals);
  } else {
    do {
      live(options, totals);
      ++options.seed;
    } while (totals.hours < hours && !(first_only && totals.failed > 0));
  }
  print_totals(totals);
  const bool meaningful = options.weather || first_only || all_trouble_came(totals);
  return totals.failed == 0 && meaningful ? 0 : 1;
}
