#include "common/security/certificate.hpp"

#include <algorithm>

namespace taskpipe::security {
namespace {

constexpr std::string_view kBlank = " \t\r";
constexpr std::string_view kCurve = "curve";
constexpr std::string_view kPublic = "public-key";
constexpr std::string_view kSecret = "secret-key";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string_view unquoted(std::string_view text) {
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                      text.back() == text.front();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

Error malformed(std::string text) { return Error{ErrorCode::invalid, std::move(text), "keys", {}}; }

}  // namespace

tl::expected<Document, Error> Document::parse(std::string_view text) {
  Document document;
  std::string section;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#') continue;
    const auto equals = content.find('=');
    const bool is_entry = equals != std::string_view::npos;
    if (!is_entry) {
      section = content;
      continue;
    }
    if (section.empty() || line.find_first_not_of(kBlank) == 0) {
      return tl::unexpected(malformed("line " + std::to_string(number) +
                                      " stands in no section; this is no certificate"));
    }
    document.set(section, trimmed(content.substr(0, equals)),
                 std::string(unquoted(trimmed(content.substr(equals + 1)))));
  }
  return document;
}

std::optional<std::string> Document::find(std::string_view section, std::string_view name) const {
  for (const Section& other : sections_) {
    if (other.name != section) continue;
    for (const auto& [key, value] : other.entries) {
      if (key == name) return value;
    }
  }
  return std::nullopt;
}

void Document::set(std::string_view section, std::string_view name, std::string value) {
  auto found = std::find_if(sections_.begin(), sections_.end(),
                            [&](const Section& other) { return other.name == section; });
  if (found == sections_.end()) {
    found = sections_.insert(sections_.end(), Section{std::string(section), {}});
  }
  found->entries.emplace_back(name, std::move(value));
}

std::string Document::text(std::string_view title) const {
  std::string text = "#   ****  " + std::string(title) + "  ****\n";
  for (const Section& section : sections_) {
    text += "\n" + section.name + "\n";
    for (const auto& [name, value] : section.entries) {
      text += "    " + name + " = \"" + value + "\"\n";
    }
  }
  return text;
}

bool is_plain_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '"' || c == '\'';
  });
}

tl::expected<PublicKey, Error> public_key_of(const Document& document) {
  const auto text = document.find(kCurve, kPublic);
  if (!text) return tl::unexpected(malformed("has no public-key in its section curve"));
  const auto key = PublicKey::from_z85(*text);
  if (!key) return tl::unexpected(malformed("its public-key is no key: 40 characters of Z85"));
  return *key;
}

tl::expected<KeyPair, Error> key_pair_of(const Document& document) {
  const auto text = document.find(kCurve, kSecret);
  if (!text) return tl::unexpected(malformed("has no secret-key in its section curve"));
  const auto secret = SecretKey::from_z85(*text);
  if (!secret) return tl::unexpected(malformed("its secret-key is no key: 40 characters of Z85"));
  const auto key = public_key_of(document);
  if (!key) return tl::unexpected(key.error());
  if (secret->public_key() != *key) {
    return tl::unexpected(malformed("its public-key and secret-key do not belong together"));
  }
  return KeyPair{*key, *secret};
}

void set_public_key(Document& document, const PublicKey& key) {
  document.set(kCurve, kPublic, key.z85());
}

void set_key_pair(Document& document, const KeyPair& keys) {
  set_public_key(document, keys.public_key);
  document.set(kCurve, kSecret, keys.secret_key.z85_for_key_file());
}

}  // namespace taskpipe::security
