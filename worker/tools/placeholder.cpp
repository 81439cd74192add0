#include "worker/tools/placeholder.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace taskpipe::worker {
namespace {

using Kind = Template::Kind;
using Piece = Template::Piece;

constexpr std::string_view kParamPrefix = "param.";
constexpr std::array<std::pair<std::string_view, Kind>, 7> kPlain = {{
    {"script", Kind::script},
    {"dir", Kind::directory},
    {"cpus", Kind::cpus},
    {"toolbox", Kind::toolbox},
    {"params", Kind::params},
    {"name", Kind::name},
    {"value", Kind::value},
}};

tl::expected<Piece, std::string> parse_placeholder(std::string_view inner) {
  for (const auto& [name, kind] : kPlain) {
    if (inner == name) return Piece{kind, {}, {}};
  }
  if (inner.starts_with(kParamPrefix)) {
    inner.remove_prefix(kParamPrefix.size());
    const auto equals = inner.find('=');
    Piece piece{Kind::param, std::string(inner.substr(0, equals)), {}};
    if (equals != std::string_view::npos) piece.otherwise = std::string(inner.substr(equals + 1));
    if (!piece.text.empty()) return piece;
  }
  return tl::unexpected("unknown placeholder {" + std::string(inner) +
                        "}; known are {script}, {dir}, {cpus}, {toolbox}, {params}, {param.NAME} "
                        "and {param.NAME=default}; write {{ for a brace");
}

const Value* find_param(const Bindings& bindings, std::string_view name) {
  if (bindings.params == nullptr) return nullptr;
  const auto it = bindings.params->find(name);
  return it == bindings.params->end() ? nullptr : &it->second;
}

bool is_option_safe(std::string_view name) {
  return !name.empty() && name.front() != '-' && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

tl::expected<void, Error> append_params(const std::vector<Template>& params_as, Bindings bindings,
                                        std::vector<std::string>& out) {
  for (const auto& [name, value] : *bindings.params) {
    const std::string field = "params." + name;
    if (!is_option_safe(name)) {
      return tl::unexpected(Error{ErrorCode::invalid,
                                  field + " cannot be a command-line parameter of this tool; use "
                                          "letters, digits, '_', '-' and '.' in its name",
                                  field});
    }
    const std::string text = to_text(value);
    bindings.name = name;
    bindings.value = text;
    for (const auto& argument : params_as) {
      auto expanded = argument.expand(bindings);
      if (!expanded) return tl::unexpected(std::move(expanded.error()));
      out.push_back(std::move(*expanded));
    }
  }
  return {};
}

}  // namespace

tl::expected<Template, std::string> Template::parse(std::string_view text) {
  Template result;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) result.pieces_.push_back(Piece{Kind::literal, std::move(literal), {}});
    literal.clear();
  };
  while (!text.empty()) {
    if (text.starts_with("{{") || text.starts_with("}}")) {
      literal += text.front();
      text.remove_prefix(2);
      continue;
    }
    if (text.front() == '}') return tl::unexpected(std::string("a lone '}'; write }} for a brace"));
    if (text.front() != '{') {
      literal += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto end = text.find('}');
    if (end == std::string_view::npos) {
      return tl::unexpected(std::string("a '{' that is never closed; write {{ for a brace"));
    }
    auto piece = parse_placeholder(text.substr(1, end - 1));
    if (!piece) return tl::unexpected(std::move(piece.error()));
    flush();
    result.pieces_.push_back(std::move(*piece));
    text.remove_prefix(end + 1);
  }
  flush();
  if (result.uses(Kind::params) && !result.is_params()) {
    return tl::unexpected(std::string("{params} must be an argument of its own"));
  }
  return result;
}

bool Template::uses(Kind kind) const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [kind](const Piece& piece) { return piece.kind == kind; });
}

bool Template::is_params() const {
  return pieces_.size() == 1 && pieces_.front().kind == Kind::params;
}

std::optional<std::string> Template::literal() const {
  if (pieces_.empty()) return std::string();
  if (pieces_.size() > 1 || pieces_.front().kind != Kind::literal) return std::nullopt;
  return pieces_.front().text;
}

tl::expected<std::string, Error> Template::expand(const Bindings& bindings) const {
  std::string out;
  for (const auto& piece : pieces_) {
    switch (piece.kind) {
      case Kind::literal: out += piece.text; break;
      case Kind::script: out += bindings.script; break;
      case Kind::directory: out += bindings.directory; break;
      case Kind::toolbox: out += bindings.toolbox; break;
      case Kind::cpus: out += std::to_string(bindings.cpus); break;
      case Kind::name: out += bindings.name; break;
      case Kind::value: out += bindings.value; break;
      case Kind::params: break;
      case Kind::param: {
        const Value* given = find_param(bindings, piece.text);
        if (given == nullptr && !piece.otherwise) {
          const std::string field = "params." + piece.text;
          return tl::unexpected(
              Error{ErrorCode::invalid, field + " is missing; this tool needs it", field});
        }
        out += given != nullptr ? to_text(*given) : *piece.otherwise;
      }
    }
  }
  return out;
}

tl::expected<std::vector<std::string>, Error> expand_arguments(
    const std::vector<Template>& arguments, const std::vector<Template>& params_as,
    const Bindings& bindings) {
  std::vector<std::string> out;
  for (const auto& argument : arguments) {
    if (argument.is_params()) {
      if (bindings.params == nullptr) continue;
      if (auto done = append_params(params_as, bindings, out); !done) {
        return tl::unexpected(std::move(done.error()));
      }
      continue;
    }
    auto expanded = argument.expand(bindings);
    if (!expanded) return tl::unexpected(std::move(expanded.error()));
    out.push_back(std::move(*expanded));
  }
  return out;
}

}  // namespace taskpipe::worker
