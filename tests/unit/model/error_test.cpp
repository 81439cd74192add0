#include "common/model/error.hpp"

#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace taskpipe {
namespace {

TEST(ErrorCode, NumbersAreThoseOfTheProtocol) {
  const struct {
    ErrorCode code;
    int number;
    std::string_view name;
  } kTable[] = {
      {ErrorCode::ok, 0, "OK"},
      {ErrorCode::version, 1, "VERSION"},
      {ErrorCode::malformed, 2, "MALFORMED"},
      {ErrorCode::too_big, 3, "TOO_BIG"},
      {ErrorCode::denied, 4, "DENIED"},
      {ErrorCode::not_registered, 5, "NOT_REGISTERED"},
      {ErrorCode::stale_epoch, 6, "STALE_EPOCH"},
      {ErrorCode::stale_attempt, 7, "STALE_ATTEMPT"},
      {ErrorCode::id_conflict, 8, "ID_CONFLICT"},
      {ErrorCode::busy, 9, "BUSY"},
      {ErrorCode::flow, 10, "FLOW"},
      {ErrorCode::unknown_task, 11, "UNKNOWN_TASK"},
      {ErrorCode::gap_too_old, 12, "GAP_TOO_OLD"},
      {ErrorCode::shutting_down, 13, "SHUTTING_DOWN"},
      {ErrorCode::storage, 14, "STORAGE"},
      {ErrorCode::unsupported, 15, "UNSUPPORTED"},
      {ErrorCode::invalid, 16, "INVALID"},
      {ErrorCode::cycle, 17, "CYCLE"},
      {ErrorCode::unsatisfiable, 18, "UNSATISFIABLE"},
  };
  std::set<std::string_view> names;
  for (const auto& row : kTable) {
    EXPECT_EQ(static_cast<int>(row.code), row.number);
    EXPECT_EQ(name_of(row.code), row.name);
    names.insert(row.name);
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kLastErrorCode) + 1) << "a code is untested";
}

TEST(ErrorCode, ANumberThatIsNotInUseHasAName) {
  EXPECT_EQ(name_of(static_cast<ErrorCode>(19)), "UNKNOWN_CODE");
  EXPECT_EQ(name_of(static_cast<ErrorCode>(65'535)), "UNKNOWN_CODE");
}

TEST(Error, ComparesEveryField) {
  const Error base{ErrorCode::busy, "text", "field", 5};
  EXPECT_EQ(base, base);
  for (const Error& other :
       {Error{ErrorCode::flow, "text", "field", 5}, Error{ErrorCode::busy, "x", "field", 5},
        Error{ErrorCode::busy, "text", "x", 5}, Error{ErrorCode::busy, "text", "field", 6},
        Error{ErrorCode::busy, "text", "field", {}}}) {
    EXPECT_FALSE(base == other);
  }
}

}  // namespace
}  // namespace taskpipe
