// Certificates in the zcert format of czmq and pyzmq:
//
//   #   comments
//   metadata
//       name = "node1"
//       role = "worker"
//   curve
//       public-key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
//       secret-key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
//
// <name>.key has the public key alone; <name>.key_secret both.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "common/model/error.hpp"
#include "common/security/keys.hpp"

namespace taskpipe::security {

// A section of such a file, with its entries in the order of the file.
struct Section {
  std::string name;
  std::vector<std::pair<std::string, std::string>> entries;
};

class Document {
 public:
  // INVALID, naming the line.
  [[nodiscard]] static tl::expected<Document, Error> parse(std::string_view text);

  // Nothing when there is none; the first where there are several.
  [[nodiscard]] std::optional<std::string> find(std::string_view section,
                                                std::string_view name) const;
  // Values may hold anything but quotation marks and control characters.
  void set(std::string_view section, std::string_view name, std::string value);
  // With `title` as its comment.
  [[nodiscard]] std::string text(std::string_view title) const;

 private:
  std::vector<Section> sections_;
};

// Whether a text may be a value: printable, without quotation marks.
[[nodiscard]] bool is_plain_value(std::string_view text);

// The keys of the section `curve`. INVALID when one is missing or no key, or when the two do not
// belong together.
[[nodiscard]] tl::expected<PublicKey, Error> public_key_of(const Document& document);
[[nodiscard]] tl::expected<KeyPair, Error> key_pair_of(const Document& document);

void set_public_key(Document& document, const PublicKey& key);
void set_key_pair(Document& document, const KeyPair& keys);

}  // namespace taskpipe::security
