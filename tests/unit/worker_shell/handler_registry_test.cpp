#include "worker/handlers/handler_registry.hpp"

#include <memory>

#include <gtest/gtest.h>

#include "common/model/limits.hpp"
#include "worker/handlers/builtin_handlers.hpp"

namespace taskpipe::worker {
namespace {

class Nothing final : public Handler {
 public:
  tl::expected<Value, Error> run(HandlerContext&, const ValueMap&) override { return Value(); }
};

TEST(HandlerRegistry, OffersWhatWasAddedInOrder) {
  HandlerRegistry registry;
  EXPECT_TRUE(registry.empty());
  ASSERT_TRUE(registry.add({"zeta", "2", "last"}, std::make_unique<Nothing>()));
  ASSERT_TRUE(add_builtin_handlers(registry));
  const auto offers = registry.offers();
  ASSERT_EQ(offers.size(), 3U);
  EXPECT_EQ(offers[0].name, "echo");
  EXPECT_EQ(offers[1].name, "noop");
  EXPECT_EQ(offers[2].name, "zeta");
  EXPECT_EQ(offers[2].version, "2");
  EXPECT_FALSE(offers[0].description.empty());
  EXPECT_FALSE(offers[0].requires_script);
  EXPECT_NE(registry.find("zeta"), nullptr);
  EXPECT_EQ(registry.find("zet"), nullptr);
}

TEST(HandlerRegistry, RefusesBadNames) {
  HandlerRegistry registry;
  ASSERT_TRUE(add_builtin_handlers(registry));
  for (const std::string& name :
       {std::string(), std::string("noop"), std::string(limits::kMaxNameBytes + 1, 'n')}) {
    const auto added = registry.add({name, "", ""}, std::make_unique<Nothing>());
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().field, "name");
  }
  EXPECT_FALSE(add_builtin_handlers(registry));
}

}  // namespace
}  // namespace taskpipe::worker
