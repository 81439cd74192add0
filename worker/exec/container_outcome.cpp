#include "worker/exec/container_outcome.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "common/model/limits.hpp"
#include "common/protocol/utf8.hpp"
#include "worker/exec/outcome.hpp"

namespace taskpipe::worker {
namespace {

// What clients end with when it is they who failed: cannot make it, cannot execute, not found.
constexpr int kFirstClientCode = 125;
constexpr int kLastClientCode = 127;
constexpr int kApptainerCode = 255;

struct Words {
  std::string_view last;  // line that says something
  std::string_view own;   // last line that is the runtime's by its beginning
  std::string_view init;  // last line of the small init that starts the program
};

// Apptainer colours what it says before it has looked where to.
std::string without_colours(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const auto escape = text.find("\x1b[");
    plain += text.substr(0, escape);
    if (escape == text.npos) break;
    text.remove_prefix(escape + 2);
    text.remove_prefix(std::min(text.find_first_not_of("0123456789;"), text.size()));
    if (!text.empty()) text.remove_prefix(1);  // the letter that ends it
  }
  return plain;
}

// As the clients of docker and podman begin what they say themselves.
bool is_clients(std::string_view line) {
  return line.starts_with("docker: ") || line.starts_with("Error: ");
}

Words find_words(std::string_view text) {
  constexpr std::array<std::string_view, 4> kOwn = {"docker: ", "Error: ", "FATAL: ", "Error "};
  constexpr std::array<std::string_view, 2> kInit = {"[FATAL tini", "ERROR (catatonit"};
  Words words;
  const auto begins = [](const auto& prefixes, std::string_view line) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [line](std::string_view prefix) { return line.starts_with(prefix); });
  };
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    words.last = line;
    if (begins(kOwn, line)) words.own = line;
    if (begins(kInit, line)) words.init = line;
  }
  return words;
}

}  // namespace

void judge_container(Outcome& outcome, std::string_view runtime, ContainerStart started,
                     std::string_view stderr_tail) {
  if (outcome.failure != FailureClass::exit) return;
  const std::string plain = without_colours(stderr_tail);
  const Words words = find_words(plain);
  const int code = outcome.exit_code;
  std::string_view said;
  if (runtime == "apptainer") {
    // It has no way to tell its own failure from the program's but its words.
    if (code != kApptainerCode || !words.own.starts_with("FATAL: ")) return;
    said = words.own;
  } else if (!words.init.empty() && words.init == words.last) {
    said = words.init;
  } else if (started != ContainerStart::started && code >= kFirstClientCode &&
             code <= kLastClientCode) {
    if (started == ContainerStart::unknown && !is_clients(words.own)) return;
    said = words.own.empty() ? words.last : words.own;
  } else {
    return;
  }
  std::string reason = std::string(runtime) + " cannot run the tool's container (exit code " +
                       std::to_string(code) + ")";
  if (!said.empty()) reason += ": " + std::string(said);
  const Usage usage = outcome.usage;
  outcome = spawn_error(reason);
  outcome.usage = usage;
}

void tell_container_left(Outcome& outcome, std::string_view name) {
  if (outcome.state == TaskState::success) return;
  if (!outcome.reason.empty()) outcome.reason += "; ";
  outcome.reason += "its container ";
  if (!name.empty()) outcome.reason += std::string(name) + " ";
  outcome.reason =
      protocol::to_utf8(outcome.reason + "could not be removed", limits::kMaxTextBytes);
}

}  // namespace taskpipe::worker
