// --check: whether a data folder is sound, without changing anything in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "broker/history/history_check.hpp"
#include "broker/journal/chain_reader.hpp"
#include "broker/store/store_check.hpp"
#include "common/model/error.hpp"

namespace taskpipe::broker {

struct DataCheck {
  std::string folder;
  RecoveryReport journal;               // as far as it could be read
  std::optional<HistoryCheck> history;  // nothing: there is none, or it cannot be read
  StoreCheck store;
  std::vector<std::string> damage;  // sentences that name the place and the remedy
  [[nodiscard]] bool sound() const { return damage.empty(); }
};

// Reads everything: each record of the journal, each page of the history and, `with_store`, each
// file of the store. An error says why it could not be checked: a broker uses the folder (its pid),
// there is no journal, or a newer release wrote it.
[[nodiscard]] tl::expected<DataCheck, Error> check_data(const std::string& data_folder,
                                                        bool with_store = true);

// For people: some lines.
[[nodiscard]] std::string to_text(const DataCheck& check);
// For programs: one JSON object in one line.
[[nodiscard]] std::string to_json(const DataCheck& check);

// The history's file in a data folder.
[[nodiscard]] std::string history_path(const std::string& data_folder);

// Why a broker must not go on from these two, or nothing: journal files are missing.
[[nodiscard]] std::optional<std::string> history_is_ahead(const std::string& data_folder,
                                                          Lsn watermark, Lsn journal_last);

}  // namespace taskpipe::broker
