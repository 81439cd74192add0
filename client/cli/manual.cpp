#include "client/cli/manual.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "client/cli/command_table.hpp"
#include "client/cli/exit_code.hpp"

namespace taskpipe::cli {
namespace {

using process::OptionRow;

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// "taskpipe-workflow-run"
std::string page_name(const Command& command) {
  std::string name = "taskpipe-" + command.name;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string header(const std::string& page, const std::string& summary) {
  return ".TH " + upper(page) + " 1 \"\" \"taskpipe " + TASKPIPE_VERSION + "\" \"taskpipe\"\n" +
         ".SH NAME\n" + roff_text(page) + " \\- " + roff_text(summary) + "\n";
}

std::string bold(std::string_view text) { return "\\fB" + roff_text(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + roff_text(text) + "\\fR"; }

std::string option_entry(const OptionRow& row) {
  std::string text = ".TP\n";
  const auto comma = row.name.find(',');
  if (comma != std::string::npos) text += bold("-" + row.name.substr(comma + 1)) + ", ";
  text += bold("--" + row.long_name());
  if (!row.value_name.empty()) text += " " + italic(row.value_name);
  return text + "\n" + roff_text(row.help) + "\n";
}

// `shared`: the options of every command, or those of one alone.
std::string options_of(const CommandForm& form, bool shared, std::string_view heading) {
  std::vector<std::string> groups;
  for (const OptionRow& row : form.options) {
    if (std::find(groups.begin(), groups.end(), row.group) == groups.end()) {
      groups.push_back(row.group);
    }
  }
  const std::string& every = form.options.back().group;  // declared last
  const std::string& general = form.options.front().group;
  std::string text;
  for (const std::string& group : groups) {
    if ((group == every || group == general) != shared) continue;
    text += std::string(heading) + " \"" + roff_text(group) + "\"\n";
    for (const OptionRow& row : form.options) {
      if (row.group == group) text += option_entry(row);
    }
  }
  return text;
}

std::string examples_of(const Command& command) {
  return command.examples.empty() ? "" : ".nf\n" + roff_text(command.examples) + ".fi\n";
}

std::string synopsis(const Command& command) {
  return ".B taskpipe " + roff_text(command.name) + "\n" + roff_text(command.arguments) +
         (command.arguments.empty() ? "[options]\n" : " [options]\n");
}

std::string exit_status() {
  return ".SH EXIT STATUS\n.nf\n" + roff_text(exit_code_help()) + ".fi\n";
}

std::string environment_of(const CommandForm& form) {
  std::string text = ".SH ENVIRONMENT\n";
  for (const OptionRow& row : form.options) {
    if (row.command_line_only) continue;
    std::string name = "TASKPIPE_" + upper(row.long_name());
    std::replace(name.begin(), name.end(), '-', '_');
    text += ".TP\n" + bold(name) + "\nas " + bold("--" + row.long_name()) + "\n";
  }
  return text + ".TP\n" + bold("NO_COLOR") + "\nno colours, unless --color says otherwise\n" +
         ".SH FILES\n.TP\n" + italic("~/.config/taskpipe/client.conf") + "\n" +
         "the configuration, else " + italic("/etc/taskpipe/client.conf") + "\n";
}

}  // namespace

std::string roff_text(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (line_begins && (byte == '.' || byte == '\'')) out += "\\&";
    line_begins = byte == '\n';
    if (byte == '\\') {
      out += "\\e";
    } else if (byte == '-') {
      out += "\\-";
    } else if (byte == '\'') {
      out += "\\(aq";
    } else if (byte == '"') {
      out += "\\(dq";
    } else if (byte < 0x80) {
      out += text[i];
    } else {
      const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      std::uint32_t point = byte & (0xffU >> (length + 1));
      for (std::size_t k = 1; k < length && i + 1 < text.size(); ++k) {
        point = point << 6U | (static_cast<unsigned char>(text[++i]) & 0x3fU);
      }
      std::array<char, 16> escape{};
      std::snprintf(escape.data(), escape.size(), "\\[u%04X]", point);
      out += escape.data();
    }
  }
  return out;
}

std::string manual_page() {
  std::string page = header("taskpipe", "submit simulation tasks, watch them, read their results");
  page += ".SH SYNOPSIS\n.B taskpipe\nCOMMAND [arguments] [options]\n.SH COMMANDS\n";
  for (const Command& command : all_commands()) {
    page += ".SS \"taskpipe " + roff_text(command.name) +
            (command.arguments.empty() ? "" : " " + roff_text(command.arguments)) + "\"\n" +
            roff_text(command.summary) + "\n";
    page += options_of(form_of(command), false, ".PP\n.I");
    if (!command.examples.empty()) page += ".PP\nExamples:\n" + examples_of(command);
  }
  const CommandForm any = form_of(all_commands().front());
  page += ".SH OPTIONS\n" + options_of(any, true, ".SS");
  return page + exit_status() + environment_of(any);
}

std::string manual_page(const Command& command) {
  const CommandForm form = form_of(command);
  std::string page = header(page_name(command), command.summary);
  page += ".SH SYNOPSIS\n" + synopsis(command) + ".SH DESCRIPTION\n" + roff_text(command.summary) +
          "\n.SH OPTIONS\n" + options_of(form, false, ".SS") + options_of(form, true, ".SS");
  if (!command.examples.empty()) page += ".SH EXAMPLES\n" + examples_of(command);
  return page + exit_status() + environment_of(form) + ".SH SEE ALSO\n.BR taskpipe (1)\n";
}

}  // namespace taskpipe::cli
