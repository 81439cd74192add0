#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <boost/any.hpp>
#include <boost/program_options.hpp>

#include "common/process/option_sources.hpp"
#include "common/process/suggestion.hpp"

namespace taskpipe::process {
namespace {

namespace po = boost::program_options;

constexpr std::string_view kConfigOption = "config";

// Tells Boost how many words belong to an option, and nothing else.
class TextSemantic final : public po::value_semantic {
 public:
  explicit TextSemantic(std::string value_name) : value_name_(std::move(value_name)) {}

  [[nodiscard]] std::string name() const override { return value_name_; }
  [[nodiscard]] unsigned min_tokens() const override { return value_name_.empty() ? 0 : 1; }
  [[nodiscard]] unsigned max_tokens() const override { return 1; }
  [[nodiscard]] bool is_composing() const override { return true; }
  [[nodiscard]] bool is_required() const override { return false; }
  void parse(boost::any&, const std::vector<std::string>&, bool) const override {}
  [[nodiscard]] bool apply_default(boost::any&) const override { return false; }
  void notify(const boost::any&) const override {}

 private:
  std::string value_name_;
};

void add_row(po::options_description& description, const OptionRow& row) {
  // Boost takes the ownership of the semantic.
  description.add_options()(row.name.c_str(), new TextSemantic(row.value_name), row.help.c_str());
}

po::options_description describe(const std::vector<OptionRow>& rows) {
  po::options_description description;
  for (const OptionRow& row : rows) add_row(description, row);
  return description;
}

std::vector<OptionRow> rows_for_files(std::vector<OptionRow> rows) {
  std::erase_if(rows, [](const OptionRow& row) {
    return row.command_line_only || row.long_name() == kConfigOption;
  });
  return rows;
}

bool is_repeatable(const std::vector<OptionRow>& rows, const std::string& name) {
  return std::any_of(rows.begin(), rows.end(), [&](const OptionRow& row) {
    return row.repeatable && row.long_name() == name;
  });
}

std::vector<std::string> names_of(const std::vector<OptionRow>& rows) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const OptionRow& row : rows) names.push_back(row.long_name());
  return names;
}

Error invalid(std::string text, std::string field) {
  return Error{ErrorCode::invalid, std::move(text), std::move(field)};
}

std::string without_dashes(std::string_view token) {
  const auto begin = token.find_first_not_of('-');
  if (begin == std::string_view::npos) return "";
  token.remove_prefix(begin);
  return std::string(token.substr(0, token.find('=')));
}

Error missing_value(const std::string& name) {
  return invalid("--" + name + ": its value is missing", name);
}

Error unknown_option(const std::vector<OptionRow>& rows, const std::string& token) {
  const std::string name = without_dashes(token);
  const std::string near = nearest_name(name, names_of(rows));
  std::string text = "unknown option '" + token.substr(0, token.find('=')) + "'";
  text += near.empty() ? "; --help lists them" : "; did you mean --" + near + "?";
  return invalid(std::move(text), name);
}

// Boost is greedy: it would take the next word as a flag's value, and the next option as the value
// of an option whose own is missing.
tl::expected<void, Error> add_setting(const std::vector<OptionRow>& rows, const po::option& option,
                                      CommandLine& result) {
  const std::string& name = option.string_key;
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const OptionRow& candidate) {
    return candidate.long_name() == name;
  });
  const bool own_word = option.original_tokens.size() > 1;
  std::string value = option.value.empty() ? "true" : option.value.front();
  if (own_word && row->value_name.empty()) {
    result.positional.push_back(std::exchange(value, "true"));
  } else if (own_word && value.starts_with("--") && value.size() > 2) {
    const auto names = names_of(rows);
    if (std::find(names.begin(), names.end(), without_dashes(value)) != names.end()) {
      return tl::unexpected(missing_value(name));
    }
  }
  result.settings.push_back({name, std::move(value), "--" + name});
  return {};
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

// Boost does not say on which line it met a key. This reads the lines by the same rules: '#' starts
// a comment, [section] prefixes the keys after it.
struct NumberedLines {
  std::multimap<std::string, std::size_t> of_key;  // equal keys in the order of the file
  std::map<std::string, std::size_t> of_line;      // first line with this text, no comment
};

NumberedLines number_lines(std::istream& input) {
  NumberedLines lines;
  std::string section;
  std::string line;
  for (std::size_t number = 1; std::getline(input, line); ++number) {
    const std::string text = trimmed(std::string_view(line).substr(0, line.find('#')));
    if (text.empty()) continue;
    lines.of_line.emplace(text, number);
    const auto equals = text.find('=');
    if (text.front() == '[' && text.back() == ']') {
      section = text.substr(1, text.size() - 2);
      if (!section.empty() && section.back() != '.') section += '.';
    } else if (equals != std::string::npos) {
      lines.of_key.emplace(section + trimmed(std::string_view(text).substr(0, equals)), number);
    }
  }
  return lines;
}

std::string place(const std::string& path, std::size_t line) {
  return path + ":" + std::to_string(line) + ": ";
}

Error unknown_key(const std::vector<OptionRow>& rows, const std::string& key,
                  const std::string& where) {
  const auto names = names_of(rows);
  std::string near = nearest_name(key, names);
  if (near.empty()) near = nearest_name(key.substr(key.rfind('.') + 1), names);
  std::string text = where + "unknown key '" + key + "'";
  text += near.empty() ? "; --help lists the options, whose names are the keys"
                       : "; did you mean '" + near + "'?";
  return invalid(std::move(text), key);
}

}  // namespace

tl::expected<CommandLine, Error> read_command_line(const std::vector<OptionRow>& rows,
                                                   const std::vector<std::string>& arguments) {
  const po::options_description description = describe(rows);
  CommandLine result;
  try {
    using namespace po::command_line_style;
    const auto parsed = po::command_line_parser(arguments)
                            .options(description)
                            .style(unix_style & ~static_cast<int>(allow_guessing))
                            .run();
    for (const auto& option : parsed.options) {
      if (option.string_key.empty() || option.position_key >= 0) {
        result.positional.insert(result.positional.end(), option.value.begin(), option.value.end());
      } else if (auto added = add_setting(rows, option, result); !added) {
        return tl::unexpected(added.error());
      }
    }
  } catch (const po::unknown_option& error) {
    return tl::unexpected(unknown_option(rows, error.get_option_name()));
  } catch (const po::error_with_option_name& error) {
    return tl::unexpected(missing_value(without_dashes(error.get_option_name())));
  } catch (const po::error& error) {
    return tl::unexpected(invalid(std::string(error.what()) + "; see --help", ""));
  }
  return result;
}

tl::expected<std::vector<Setting>, Error> read_config(const std::vector<OptionRow>& all_rows,
                                                      std::istream& input,
                                                      const std::string& path) {
  const std::vector<OptionRow> rows = rows_for_files(all_rows);
  std::ostringstream whole;
  whole << input.rdbuf();
  std::istringstream for_numbers(whole.str());
  const NumberedLines lines = number_lines(for_numbers);
  std::map<std::string, std::size_t> seen;  // occurrences of each key so far
  std::vector<Setting> settings;
  try {
    std::istringstream for_boost(whole.str());
    for (const auto& option : po::parse_config_file(for_boost, describe(rows), true).options) {
      const std::size_t before = seen[option.string_key]++;
      const auto first = lines.of_key.lower_bound(option.string_key);
      const std::string where =
          place(path, std::next(first, static_cast<std::ptrdiff_t>(before))->second);
      if (option.unregistered) return tl::unexpected(unknown_key(rows, option.string_key, where));
      if (before > 0 && !is_repeatable(rows, option.string_key)) {
        return tl::unexpected(invalid(where + option.string_key + " is set twice; first on line " +
                                          std::to_string(first->second),
                                      option.string_key));
      }
      settings.push_back({option.string_key, option.value.empty() ? "" : option.value.front(),
                          where + option.string_key});
    }
  } catch (const po::invalid_config_file_syntax& error) {
    const std::string text = error.tokens();
    const auto line = lines.of_line.find(text);
    const std::string where = line == lines.of_line.end() ? path + ": " : place(path, line->second);
    return tl::unexpected(
        invalid(where + "'" + text + "' is no line of the form 'key = value'", ""));
  } catch (const po::error& error) {
    return tl::unexpected(invalid(path + ": " + error.what(), ""));
  }
  return settings;
}

std::string layout_help(const std::vector<OptionRow>& rows, unsigned columns) {
  std::vector<std::string> titles;
  std::map<std::string, po::options_description> groups;
  for (const OptionRow& row : rows) {
    const auto [group, is_new] = groups.try_emplace(row.group, row.group, columns, columns / 2);
    if (is_new) titles.push_back(row.group);
    add_row(group->second, row);
  }
  po::options_description whole(columns, columns / 2);  // aligns the groups with each other
  for (const std::string& title : titles) whole.add(groups.at(title));
  std::ostringstream out;
  out << whole;
  return out.str();
}

}  // namespace taskpipe::process
