#include "tests/fuzz/script_mutator.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "tests/fuzz/dictionary.hpp"
#include "tests/fuzz/frames.hpp"
#include "tests/fuzz/script.hpp"

// libFuzzer's own mutations. Weak, since the tool that writes the seeds comes without it.
extern "C" __attribute__((weak)) std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size,
                                                              std::size_t max_size);

namespace taskpipe::fuzz {
namespace {

constexpr std::size_t kMostPayload = 2048;

class Mutation {
 public:
  explicit Mutation(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return random_() % bound; }

  void run(Script& script) {
    if (script.empty()) return insert(script);
    switch (below(12)) {
      case 0:
      case 1: insert(script); break;
      case 2: script.erase(script.begin() + at(script)); break;
      case 3: repeat(script); break;
      case 4: std::swap(script[below(script.size())], script[below(script.size())]); break;
      case 5: script[below(script.size())].op = static_cast<std::uint8_t>(random_()); break;
      case 6: flip(script[below(script.size())].arg); break;
      default: change(script[below(script.size())].payload); break;
    }
  }

 private:
  std::ptrdiff_t at(const Script& script) {
    return static_cast<std::ptrdiff_t>(below(script.size()));
  }
  void flip(std::uint8_t& arg) { arg = static_cast<std::uint8_t>(arg ^ 1U << below(8)); }

  void insert(Script& script) {
    if (script.size() >= kMostSteps) return;
    Step step;
    step.op = static_cast<std::uint8_t>(random_());
    step.arg = static_cast<std::uint8_t>(random_());
    if (below(4) != 0) {
      step.op = static_cast<std::uint8_t>(step.op % kMessageOps);
      step.payload = dictionary()[below(dictionary().size())];
    } else {
      step.payload.resize(below(8));
      for (char& c : step.payload) c = static_cast<char>(random_());
    }
    const auto place = static_cast<std::ptrdiff_t>(below(script.size() + 1));
    script.insert(script.begin() + place, std::move(step));
  }

  void repeat(Script& script) {
    if (script.size() >= kMostSteps) return;
    Step step = script[below(script.size())];
    const auto place = static_cast<std::ptrdiff_t>(below(script.size() + 1));
    script.insert(script.begin() + place, std::move(step));
  }

  void change(std::string& payload) {
    const std::size_t size = std::min(payload.size(), kMostPayload);
    payload.resize(kMostPayload);
    payload.resize(
        LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(payload.data()), size, kMostPayload));
  }

  std::minstd_rand random_;
};

std::size_t put(const Script& script, std::uint8_t* out, std::size_t max_size) {
  const std::string input = write_script(script);
  const std::size_t size = std::min(input.size(), max_size);
  std::memcpy(out, input.data(), size);
  return size;
}

}  // namespace

std::size_t mutate_script(std::uint8_t* data, std::size_t size, std::size_t max_size,
                          unsigned seed) {
  Script script = read_script(text_of(data, size));
  Mutation mutation(seed);
  for (std::size_t rounds = 1 + mutation.below(3); rounds > 0; --rounds) mutation.run(script);
  return put(script, data, max_size);
}

std::size_t cross_scripts(std::string_view a, std::string_view b, std::uint8_t* out,
                          std::size_t max_size, unsigned seed) {
  Script script = read_script(a);
  const Script other = read_script(b);
  Mutation mutation(seed);
  script.resize(mutation.below(script.size() + 1));
  const auto from = static_cast<std::ptrdiff_t>(mutation.below(other.size() + 1));
  script.insert(script.end(), other.begin() + from, other.end());
  return put(script, out, max_size);
}

}  // namespace taskpipe::fuzz
