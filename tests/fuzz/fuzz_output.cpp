// What programs print and users' scripts say, as the readers of progress see it: any bytes.
#include "tests/fuzz/frames.hpp"
#include "worker/tools/lammps_progress.hpp"
#include "worker/tools/openfoam_progress.hpp"

namespace taskpipe::worker {
namespace {

void read_lines(OutputParser& parser, std::string_view text) {
  double percent = -1.0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    ParsedLine parsed;
    parser.read(LogStream::out, text.substr(0, end), parsed);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (parsed.percent < 0) continue;
    fuzz::require(parsed.percent <= 100.0, "a percentage above 100");
    fuzz::require(parsed.percent >= percent, "a percentage falls");
    percent = parsed.percent;
  }
}

}  // namespace
}  // namespace taskpipe::worker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace taskpipe;  // NOLINT(google-build-using-namespace)
  fuzz::Bytes in(fuzz::text_of(data, size));
  switch (in.byte() % 4) {
    case 0:
      static_cast<void>(
          worker::analyse_lammps_script(in.rest(), ValueMap{{"n", 10}, {"name", "x"}}));
      break;
    case 1: static_cast<void>(worker::parse_control_dict(in.rest())); break;
    case 2: {
      const std::size_t script_bytes = in.word() % 256;
      worker::LammpsProgress parser(worker::analyse_lammps_script(in.take(script_bytes), {}),
                                    {{"Temp", "temperature"}});
      worker::read_lines(parser, in.rest());
      break;
    }
    default: {
      worker::OpenfoamProgress parser(in.byte());
      worker::read_lines(parser, in.rest());
      break;
    }
  }
  return 0;
}
