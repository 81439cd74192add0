#include "client/cli/json_reader.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/model/limits.hpp"

namespace taskpipe::cli {
namespace {

std::string place_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto line_start = before.rfind('\n');
  const std::size_t column =
      line_start == std::string_view::npos ? before.size() : before.size() - line_start - 1;
  return "line " + std::to_string(line) + ", column " +
         std::to_string(std::max<std::size_t>(column, 1)) + ": ";
}

// "[json.exception.parse_error.101] parse error at line 1, column 4: syntax error while …: WHY"
std::string reason_of(const std::string& what) {
  const auto place = what.find("column ");
  const auto colon = what.find(": ", place == std::string::npos ? 0 : place);
  return colon == std::string::npos ? what : what.substr(colon + 2);
}

// Words that other languages print for numbers that JSON has not.
bool names_no_finite_number(std::string_view text, std::size_t offset) {
  const std::size_t begin = offset > 12 ? offset - 12 : 0;
  const std::string_view around = text.substr(begin, 24);
  for (const std::string_view word : {"NaN", "nan", "Infinity", "inf"}) {
    if (around.find(word) != std::string_view::npos) return true;
  }
  return false;
}

// Builds the value while nlohmann's parser, which is not recursive, walks through the text.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(std::string_view text) : text_(text) {}

  bool null() override { return put(Value()); }
  bool boolean(bool v) override { return put(Value(v)); }
  bool number_integer(number_integer_t v) override { return put(Value(v)); }
  bool number_unsigned(number_unsigned_t v) override {
    constexpr auto kMax = static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max());
    if (v > kMax) return refuse(std::to_string(v) + " is beyond 64-bit integers");
    return put(Value(static_cast<std::int64_t>(v)));
  }
  bool number_float(number_float_t v, const string_t& digits) override {
    // The parser reads an integer that fits no 64 bits as a double, which would lose digits.
    if (digits.find_first_of(".eE") == std::string::npos) {
      return refuse(digits + " is beyond 64-bit integers");
    }
    return put(Value(v));
  }
  bool string(string_t& v) override { return put(Value(std::move(v))); }
  bool binary(binary_t&) override { return refuse("binary data is no JSON"); }

  bool start_object(std::size_t) override { return open(Value(ValueMap())); }
  bool key(string_t& v) override {
    keys_.back() = std::move(v);
    if (open_.back().as<ValueMap>()->contains(keys_.back())) {
      return refuse("the key '" + keys_.back() + "' stands twice in one map");
    }
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Value(ValueList())); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t offset, const std::string&,
                   const nlohmann::detail::exception& problem) override {
    // 406: a syntactically fine number that no double can hold.
    constexpr int kNumberOverflow = 406;
    JsonError found;
    found.problem = problem.id == kNumberOverflow ? JsonProblem::content : JsonProblem::syntax;
    std::string reason = found.problem == JsonProblem::content
                             ? "a number is beyond what a double can hold"
                             : reason_of(problem.what());
    if (found.problem == JsonProblem::syntax && names_no_finite_number(text_, offset)) {
      reason += " (JSON has neither NaN nor infinities)";
    }
    found.error = Error{ErrorCode::invalid, place_of(text_, offset) + reason, {}};
    error_ = std::move(found);
    return false;
  }

  [[nodiscard]] tl::expected<Value, JsonError> result(bool complete) {
    if (complete && !error_) return std::move(root_);
    if (!error_) return tl::unexpected(JsonError{JsonProblem::syntax, {}});
    return tl::unexpected(std::move(*error_));
  }

 private:
  bool refuse(std::string why) {
    error_ = JsonError{JsonProblem::content, Error{ErrorCode::invalid, std::move(why), {}}};
    return false;
  }
  bool put(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* list = std::get_if<ValueList>(&open_.back().storage())) {
      list->push_back(std::move(value));
    } else {
      std::get<ValueMap>(open_.back().storage()).emplace(std::move(keys_.back()), std::move(value));
    }
    return true;
  }
  bool open(Value container) {
    if (open_.size() >= limits::kMaxValueDepth) {
      return refuse("it is nested deeper than " + std::to_string(limits::kMaxValueDepth) +
                    " levels");
    }
    open_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Value done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return put(std::move(done));
  }

  std::string_view text_;
  std::vector<Value> open_;        // lists and maps not ended yet, the outermost first
  std::vector<std::string> keys_;  // of each of `open_`: the key whose value comes next
  Value root_;
  std::optional<JsonError> error_;
};

}  // namespace

tl::expected<Value, JsonError> read_json(std::string_view text) {
  Builder builder(text);
  const bool complete = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.result(complete);
}

}  // namespace taskpipe::cli
