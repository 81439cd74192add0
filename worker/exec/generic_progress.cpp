#include "worker/exec/generic_progress.hpp"

#include <charconv>

namespace taskpipe::worker {
namespace {

constexpr std::string_view kKeyword = "taskpipe-progress";
constexpr std::string_view kBlanks = " \t";

std::string_view without_leading_blanks(std::string_view text) {
  const std::size_t start = text.find_first_not_of(kBlanks);
  return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

}  // namespace

bool read_generic_progress(std::string_view line, ParsedLine& out) {
  if (!line.starts_with(kKeyword)) return false;
  line.remove_prefix(kKeyword.size());
  std::string_view rest = without_leading_blanks(line);
  if (rest.empty() || rest.size() == line.size()) return false;
  double percent = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), percent);
  if (error != std::errc{} || !(percent >= 0.0 && percent <= 100.0)) return false;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  if (!rest.empty() && rest.front() == '%') rest.remove_prefix(1);
  if (!rest.empty() && kBlanks.find(rest.front()) == std::string_view::npos) return false;
  rest = without_leading_blanks(rest);
  const std::size_t last = rest.find_last_not_of(kBlanks);
  out.percent = percent;
  out.message = last == std::string_view::npos ? std::string_view{} : rest.substr(0, last + 1);
  return true;
}

void GenericProgressParser::read(LogStream stream, std::string_view line, ParsedLine& out) {
  if (read_generic_progress(line, out)) return;
  if (tool_parser_ != nullptr) tool_parser_->read(stream, line, out);
}

}  // namespace taskpipe::worker
