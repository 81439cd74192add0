// Feeds a text to an OutputParser line by line and keeps what it said.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "worker/exec/executor.hpp"

namespace taskpipe::worker {

struct Fed {
  std::vector<double> percents;
  std::vector<std::string> messages;
  std::map<std::string, std::vector<double>> metrics;

  [[nodiscard]] bool percents_never_fall() const {
    return std::is_sorted(percents.begin(), percents.end());
  }
  [[nodiscard]] std::size_t distinct_percents() const {
    return std::set<double>(percents.begin(), percents.end()).size();
  }
};

inline Fed feed(OutputParser& parser, std::string_view text, LogStream stream = LogStream::out) {
  Fed fed;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    ParsedLine parsed;
    parser.read(stream, text.substr(0, end), parsed);
    if (parsed.percent >= 0) fed.percents.push_back(parsed.percent);
    if (!parsed.message.empty()) fed.messages.push_back(parsed.message);
    for (const auto& [name, value] : parsed.metrics) fed.metrics[name].push_back(value);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return fed;
}

}  // namespace taskpipe::worker
