// Keys and the files that hold them, as czmq and pyzmq write them.
#include "common/security/certificate.hpp"

#include <gtest/gtest.h>

namespace taskpipe::security {
namespace {

// RFC 26's own pair, as czmq's documentation shows it.
constexpr const char* kPublic = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
constexpr const char* kSecret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

std::string czmq_file() {
  return "#   ****  Generated on 2016-01-01 12:00:00 by CZMQ  ****\n"
         "#   ZeroMQ CURVE **Secret** Certificate\n\n"
         "metadata\n    name = \"ann = 'x'\"\n    role = worker\ncurve\n"
         "    public-key = \"" +
         std::string(kPublic) + "\"\n    secret-key = \"" + kSecret + "\"\n";
}

TEST(Keys, APairBelongsTogether) {
  const KeyPair keys = make_key_pair();
  EXPECT_EQ(keys.secret_key.public_key(), keys.public_key);
  EXPECT_NE(make_key_pair().public_key, keys.public_key);
}

TEST(Keys, Z85IsReadBackAndNothingElseIsAKey) {
  const auto key = PublicKey::from_z85(kPublic);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->z85(), kPublic);
  EXPECT_EQ(key->hex(), "bb88471d65e2659b30c55a5321cebb5aab2b70a398645c26dca2b2fcb43fc518");
  EXPECT_FALSE(PublicKey::from_z85(""));
  EXPECT_FALSE(PublicKey::from_z85(std::string(39, '0')));
  EXPECT_FALSE(PublicKey::from_z85(std::string(41, '0')));
  EXPECT_FALSE(PublicKey::from_z85(std::string(40, '"')));
}

TEST(Certificate, WhatCzmqWritesIsRead) {
  const auto document = Document::parse(czmq_file());
  ASSERT_TRUE(document) << document.error().text;
  const auto keys = key_pair_of(*document);
  ASSERT_TRUE(keys) << keys.error().text;
  EXPECT_EQ(keys->public_key.z85(), kPublic);
  EXPECT_EQ(document->find("metadata", "name"), "ann = 'x'");
  EXPECT_EQ(document->find("metadata", "role"), "worker");
  EXPECT_EQ(document->find("metadata", "user"), std::nullopt);
  EXPECT_EQ(document->find("curve", "name"), std::nullopt);
}

TEST(Certificate, WhatIsWrittenIsReadBack) {
  const KeyPair keys = make_key_pair();
  Document document;
  document.set("metadata", "user", "ann");
  set_key_pair(document, keys);
  const auto again = Document::parse(document.text("a title"));
  ASSERT_TRUE(again);
  EXPECT_EQ(key_pair_of(*again)->public_key, keys.public_key);
  EXPECT_EQ(again->find("metadata", "user"), "ann");
}

TEST(Certificate, KeysThatDoNotBelongTogetherAreRefused) {
  Document document;
  set_public_key(document, make_key_pair().public_key);
  document.set("curve", "secret-key", make_key_pair().secret_key.z85_for_key_file());
  EXPECT_NE(key_pair_of(document).error().text.find("do not belong together"), std::string::npos);
}

TEST(Certificate, WhatIsNoneIsRefused) {
  EXPECT_FALSE(Document::parse("public-key = \"x\"\n"));
  EXPECT_FALSE(Document::parse("    public-key = \"x\"\n"));
  const auto empty = Document::parse("");
  ASSERT_TRUE(empty);
  EXPECT_FALSE(public_key_of(*empty));
  const auto no_key = Document::parse("curve\n    public-key = \"short\"\n");
  ASSERT_TRUE(no_key);
  EXPECT_FALSE(public_key_of(*no_key));
}

TEST(Certificate, AValueCannotBreakOutOfItsLine) {
  EXPECT_TRUE(is_plain_value("ann (laptop)"));
  for (const char* bad : {"a\"b", "a'b", "a\nrole = admin", "a\tb"})
    EXPECT_FALSE(is_plain_value(bad));
}

}  // namespace
}  // namespace taskpipe::security
