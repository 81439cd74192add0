#include "broker/shell/data_check.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string_view>
#include <utility>

#include "broker/history/schema.hpp"
#include "broker/journal/posix_disk.hpp"

namespace taskpipe::broker {
namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

// An error where the history cannot be checked; what is wrong with it is noted.
tl::expected<void, Error> check_history_of(DataCheck& check) {
  const std::string path = history_path(check.folder);
  if (!std::filesystem::exists(path)) {
    if (check.journal.first > Lsn(1)) {
      check.damage.push_back(path + " is missing, though the journal has handed over what ended " +
                             "before record " + number(check.journal.first.value()) +
                             "; restore the data folder from a backup, or lose what ended then");
    }
    return {};
  }
  try {
    check.history = check_history(path);
  } catch (const NewerHistory& newer) {
    return tl::unexpected(Error{ErrorCode::version, newer.what(), "history"});
  } catch (const std::exception& failure) {
    check.damage.emplace_back(failure.what());
    return {};
  }
  for (const std::string& finding : check.history->damage) {
    check.damage.push_back("the history '" + path + "' is damaged: " + finding +
                           "; restore the data folder from a backup, or move this file away to " +
                           "begin a new history");
  }
  return {};
}

std::string json_text(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json.append({'\\', c});
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      json += escape.data();
    } else {
      json += c;
    }
  }
  return json + '"';
}

}  // namespace

std::string history_path(const std::string& data_folder) {
  return (std::filesystem::path(data_folder) / "history.sqlite").string();
}

std::optional<std::string> history_is_ahead(const std::string& data_folder, Lsn watermark,
                                            Lsn journal_last) {
  if (watermark <= journal_last) return std::nullopt;
  return "the history in " + data_folder + " is ahead of the journal (LSN " +
         number(watermark.value()) + " against " + number(journal_last.value()) +
         "): journal files are missing; restore both from the same backup";
}

tl::expected<DataCheck, Error> check_data(const std::string& data_folder, bool with_store) {
  DataCheck check;
  check.folder = data_folder;
  PosixDisk disk;
  SegmentFolder folder(disk, data_folder);
  const auto lock = folder.lock_for_reading();
  if (!lock) return tl::unexpected(lock.error());
  if (const auto looked = folder.look(); !looked) {
    return tl::unexpected(Error{
        ErrorCode::invalid,
        "--data-dir " + data_folder + " is no data folder of a broker: " + looked.error().text,
        "data-dir"});
  }
  bool journal_is_sound = true;
  const auto chain = read_chain(folder, [&check](Lsn lsn, Record&&) {
    if (check.journal.records++ == 0) check.journal.first = lsn;
    check.journal.last = lsn;
  });
  if (chain) {
    check.journal = chain->report;
  } else if (chain.error().code == ErrorCode::version) {
    return tl::unexpected(chain.error());
  } else {
    journal_is_sound = false;
    check.damage.push_back(chain.error().text);
  }
  if (auto checked = check_history_of(check); !checked) return tl::unexpected(checked.error());
  if (journal_is_sound && check.history) {
    auto ahead = history_is_ahead(data_folder, check.history->watermark, check.journal.last);
    if (ahead) check.damage.push_back(std::move(*ahead));
  }
  check.store = check_store(data_folder, with_store);
  check.damage.insert(check.damage.end(), check.store.damage.begin(), check.store.damage.end());
  return check;
}

std::string to_text(const DataCheck& check) {
  const RecoveryReport& journal = check.journal;
  std::string text = check.folder + "\n  journal: " + number(journal.records) + " records";
  if (journal.records != 0) {
    text += " (" + number(journal.first.value()) + " to " + number(journal.last.value()) + ")";
  }
  text += " in " + number(journal.segments) + " segments, epoch " +
          number(journal.highest_epoch.value()) + "\n";
  if (journal.cut_bytes > 0) {
    text += "  torn tail: " + number(journal.cut_records) + " records, " +
            number(journal.cut_bytes) +
            " bytes that nobody was told of; the next start cuts them\n";
  }
  if (check.history) {
    text += "  history: " + number(check.history->tasks) + " tasks, " +
            number(check.history->workflows) + " workflows, schema " +
            std::to_string(check.history->schema) + ", up to record " +
            number(check.history->watermark.value()) + "\n";
  }
  text += "  store: " + number(check.store.files) + " files, " + number(check.store.bytes) +
          " bytes, " + number(check.store.unfinished) + " unfinished uploads\n";
  for (const std::string& damage : check.damage) text += "  DAMAGE: " + damage + "\n";
  return text + (check.sound() ? "sound\n" : "damaged\n");
}

std::string to_json(const DataCheck& check) {
  const RecoveryReport& journal = check.journal;
  std::string json = "{\"folder\": " + json_text(check.folder) +
                     ", \"sound\": " + (check.sound() ? "true" : "false") +
                     ", \"journal\": {\"first\": " + number(journal.first.value()) +
                     ", \"last\": " + number(journal.last.value()) +
                     ", \"records\": " + number(journal.records) +
                     ", \"segments\": " + number(journal.segments) +
                     ", \"epoch\": " + number(journal.highest_epoch.value()) +
                     ", \"torn_records\": " + number(journal.cut_records) +
                     ", \"torn_bytes\": " + number(journal.cut_bytes) + "}, \"history\": ";
  if (check.history) {
    json += "{\"tasks\": " + number(check.history->tasks) +
            ", \"workflows\": " + number(check.history->workflows) +
            ", \"schema\": " + std::to_string(check.history->schema) +
            ", \"watermark\": " + number(check.history->watermark.value()) + "}";
  } else {
    json += "null";
  }
  json += ", \"store\": {\"files\": " + number(check.store.files) +
          ", \"bytes\": " + number(check.store.bytes) +
          ", \"unfinished\": " + number(check.store.unfinished) + "}";
  json += ", \"damage\": [";
  for (std::size_t i = 0; i < check.damage.size(); ++i) {
    json += (i == 0 ? "" : ", ") + json_text(check.damage[i]);
  }
  return json + "]}\n";
}

}  // namespace taskpipe::broker
