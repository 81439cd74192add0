// Writes inputs to begin with: fuzz_seeds FOLDER, run in the root of the sources. One folder per
// target, made from the golden messages and from what the repository holds anyway.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "broker/journal/record_codec.hpp"
#include "common/protocol/value_codec.hpp"
#include "tests/fuzz/dictionary.hpp"
#include "tests/fuzz/frames.hpp"
#include "tests/fuzz/script.hpp"
#include "tests/support/record_samples.hpp"
#include "tests/unit/protocol/samples.hpp"

namespace taskpipe::fuzz {
namespace {

namespace fs = std::filesystem;
namespace samples = protocol::samples;

constexpr std::size_t kMostTextBytes = 6000;

class Seeds {
 public:
  explicit Seeds(fs::path root) : root_(std::move(root)) {}

  void write(const std::string& target, const std::string& bytes) {
    fs::create_directories(root_ / target);
    std::ofstream file(root_ / target / std::to_string(++count_), std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file) throw std::runtime_error("cannot write to " + root_.string());
  }

 private:
  fs::path root_;
  std::size_t count_ = 0;
};

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) throw std::runtime_error("nothing in " + path.string());
  return text.substr(0, kMostTextBytes);
}

protocol::EncodedMessage encoded(const samples::Sample& sample) {
  auto encoded = protocol::encode(sample.message, Correlation(1), SessionId(2), sample.flags);
  if (!encoded) throw std::runtime_error(sample.name + ": " + encoded.error().text);
  return std::move(*encoded);
}

std::string bytes_of(protocol::FrameView view) {
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

void write_codec(Seeds& seeds) {
  for (const auto& sample : samples::all()) {
    const auto message = encoded(sample);
    seeds.write("fuzz_codec", "\x02" + spell(message));
    std::string raw(1, '\0');
    for (const auto frame : samples::frames_of(message)) {
      raw += static_cast<char>(frame.size() & 0xffU);
      raw += static_cast<char>(frame.size() >> 8U);
      raw += bytes_of(frame);
    }
    seeds.write("fuzz_codec", raw);
  }
  for (const auto& sample : samples::events()) {
    const auto events = protocol::encode_events("id.", std::get<Events>(sample.message));
    seeds.write("fuzz_codec", "\x01" + bytes_of(events.position) + events.body);
  }
}

// Each message alone, and all of a group in a row, with work being done in between.
void write_scripts(Seeds& seeds) {
  for (const std::string target :
       {"fuzz_broker_ports", "fuzz_bulk", "fuzz_worker", "fuzz_client"}) {
    for (const int arg : {0, 2, 34, 41}) {
      Script all;
      for (const std::string& message : dictionary()) {
        const Step step{0, static_cast<std::uint8_t>(arg), message};
        seeds.write(target, write_script({step}));
        all.push_back(step);
        if (all.size() % 4 == 0) all.push_back({7, 0, std::string(4, '\0')});
      }
      const auto half = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
      seeds.write(target, write_script({all.begin(), half}));
      seeds.write(target, write_script({half, all.end()}));
    }
    for (std::uint8_t op = kMessageOps; op < 16; ++op) {
      Script script;
      for (const auto& sample : samples::client()) {
        script.push_back({0, 0, spell(encoded(sample))});
        script.push_back({op, static_cast<std::uint8_t>(script.size()), "\x02\x01"});
      }
      seeds.write(target, write_script(script));
    }
  }
}

void write_values(Seeds& seeds) {
  const std::string params(protocol::encode_params(samples::params())->text());
  seeds.write("fuzz_values", std::string(1, '\0') + params);
  seeds.write("fuzz_values", "\x02" + params);
  seeds.write("fuzz_values",
              "\x01" + std::string(protocol::encode_report(samples::report())->text()));
}

void write_journal(Seeds& seeds) {
  for (char kind = 0; kind < 5; ++kind) {
    seeds.write("fuzz_journal", std::string(1, kind));
    for (char op = 0; op < 8; ++op) {
      seeds.write("fuzz_journal", std::string{kind, op, 1, 60, 17, 0, 4, 1, 2, 3, 4});
    }
  }
  std::mt19937_64 random(4711);
  for (std::size_t i = 0; i < std::variant_size_v<broker::Record> * 4; ++i) {
    broker::ByteBuffer bytes;
    broker::encode_record(testing::random_record(random, i % std::variant_size_v<broker::Record>),
                          bytes);
    seeds.write("fuzz_records", bytes_of(bytes.bytes()));
  }
}

void write_texts(Seeds& seeds) {
  for (const char* tool :
       {"fenicsx", "lammps", "openfoam", "python", "shell", "examples/container"}) {
    seeds.write("fuzz_manifest",
                read_text(fs::path("worker/toolbox") / (std::string(tool) + ".toml")));
  }
  const fs::path recorded = "tests/unit/tools/recorded";
  const std::string script = read_text(recorded / "minimise_loop.lammps").substr(0, 255);
  seeds.write("fuzz_output", std::string(1, '\0') + script);
  seeds.write("fuzz_output", std::string("\x02") + static_cast<char>(script.size()) +
                                 std::string(1, '\0') + script +
                                 read_text(recorded / "two_runs.log"));
  seeds.write("fuzz_output", "\x03\x01" + read_text(recorded / "cavity.log"));
  seeds.write("fuzz_output",
              "\x01startFrom startTime;\nstartTime 0;\nstopAt endTime;\n/* c */ end 0.5;\n"
              "endTime $end;\nfunctions { a { type b; } }\n");
  seeds.write("fuzz_workflow_file", read_text("client/examples/demo.json"));
  seeds.write(
      "fuzz_workflow_file",
      "name = \"airfoil\"\non_failure = \"cancel_dependents\"\n[[tasks]]\nname = \"mesh\"\n"
      "tool = \"openfoam\"\nscript = \"mesh.py\"\ncpus = 2\n[[tasks]]\ntool = \"openfoam\"\n"
      "after = [\"mesh\", 0]\nparams = {nu = 0.01, list = [1, \"a\", true]}\n");
}

}  // namespace
}  // namespace taskpipe::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_seeds FOLDER\n", stderr);
    return 2;
  }
  taskpipe::fuzz::Seeds seeds(argv[1]);
  taskpipe::fuzz::write_codec(seeds);
  taskpipe::fuzz::write_scripts(seeds);
  taskpipe::fuzz::write_values(seeds);
  taskpipe::fuzz::write_journal(seeds);
  taskpipe::fuzz::write_texts(seeds);
  return 0;
}
