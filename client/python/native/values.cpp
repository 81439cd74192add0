#include "client/python/native/values.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "client/python/native/errors.hpp"
#include "common/model/limits.hpp"

namespace taskpipe::python {
namespace nb = nanobind;
namespace {

// Reads one tree, keeping the way from the root for what it has to say.
class TreeReader {
 public:
  explicit TreeReader(const char* root) : root_(root) {}

  ValueMap read_root(nb::handle object) {
    if (!PyDict_Check(object.ptr())) refuse("is " + type_of(object) + "; it must be a dict");
    const Enter entered(*this, object);
    return read_map(object);
  }

 private:
  // One step of the way: a key or an index.
  using Step = std::variant<PyObject*, std::size_t>;

  struct Enter {
    Enter(TreeReader& reader, nb::handle container) : open(reader.open_) {
      if (std::find(open.begin(), open.end(), container.ptr()) != open.end()) {
        reader.refuse("contains itself");
      }
      if (open.size() >= limits::kMaxValueDepth) {
        reader.refuse("is nested deeper than " + std::to_string(limits::kMaxValueDepth) +
                      " levels");
      }
      open.push_back(container.ptr());
    }
    Enter(const Enter&) = delete;
    Enter& operator=(const Enter&) = delete;
    ~Enter() { open.pop_back(); }
    std::vector<PyObject*>& open;
  };

  static std::string type_of(nb::handle object) {
    return "of type " + nb::cast<std::string>(nb::str(nb::type_name(object.type())));
  }

  [[nodiscard]] std::string place() const {
    std::string text = root_;
    for (const Step& step : way_) {
      text += "[";
      if (const auto* key = std::get_if<PyObject*>(&step)) {
        text += nb::cast<std::string>(nb::repr(nb::handle(*key)));
      } else {
        text += std::to_string(std::get<std::size_t>(step));
      }
      text += "]";
    }
    return text;
  }

  [[noreturn]] void refuse(const std::string& what) const {
    const std::string where = place();
    raise_invalid(where, where + " " + what);
  }

  Value read(nb::handle object) {
    if (++elements_ > limits::kMaxValueElements) {
      way_.clear();
      refuse("has more than " + std::to_string(limits::kMaxValueElements) + " elements");
    }
    PyObject* const raw = object.ptr();
    if (raw == Py_None) return {};
    if (PyBool_Check(raw)) return raw == Py_True;
    if (PyLong_Check(raw)) return read_int(object);
    if (PyFloat_Check(raw)) return read_float(object);
    if (PyUnicode_Check(raw)) return read_text(object);
    if (PyBytes_Check(raw)) {
      return ValueBytes{{PyBytes_AS_STRING(raw), static_cast<std::size_t>(PyBytes_GET_SIZE(raw))}};
    }
    if (PyDict_Check(raw)) {
      const Enter entered(*this, object);
      return read_map(object);
    }
    if (PyList_Check(raw) || PyTuple_Check(raw)) {
      const Enter entered(*this, object);
      return read_list(object);
    }
    if (PyIndex_Check(raw)) {
      const nb::object number = nb::steal(PyNumber_Index(raw));
      if (number.is_valid()) return read_int(number);
      PyErr_Clear();
    }
    refuse("is " + type_of(object) +
           ", which cannot be sent; convert it to None, bool, int, float, str, bytes, list or "
           "dict (of an array: .tolist())");
  }

  Value read_int(nb::handle object) const {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(object.ptr(), &overflow);
    if (overflow != 0) refuse("does not fit into 64 bits; send it as str or float");
    return static_cast<std::int64_t>(number);
  }

  Value read_float(nb::handle object) const {
    const double number = PyFloat_AS_DOUBLE(object.ptr());
    if (std::isnan(number)) refuse("is NaN; leave it out or send None");
    if (std::isinf(number)) refuse("is infinite; leave it out or send None");
    return number;
  }

  std::string read_text(nb::handle object) const {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
    if (text == nullptr) {
      PyErr_Clear();
      refuse("is text with lone surrogates, which has no UTF-8 form");
    }
    return {text, static_cast<std::size_t>(size)};
  }

  ValueMap read_map(nb::handle object) {
    ValueMap map;
    // Over a copy: __index__ of a value may run code that changes the dict.
    const nb::object items = nb::steal(PyDict_Items(object.ptr()));
    if (!items.is_valid()) throw nb::python_error();
    for (const nb::handle item : items) {
      PyObject* const key = PyTuple_GET_ITEM(item.ptr(), 0);
      if (!PyUnicode_Check(key)) {
        refuse("has the key " + nb::cast<std::string>(nb::repr(nb::handle(key))) + " " +
               type_of(key) + "; keys must be str");
      }
      if (PyUnicode_GET_LENGTH(key) == 0) refuse("has an empty key");
      way_.emplace_back(key);
      std::string name = read_text(key);
      map.insert_or_assign(std::move(name), read(PyTuple_GET_ITEM(item.ptr(), 1)));
      way_.pop_back();
    }
    return map;
  }

  ValueList read_list(nb::handle object) {
    const nb::object items = nb::steal(PySequence_Tuple(object.ptr()));
    if (!items.is_valid()) throw nb::python_error();
    const auto size = static_cast<std::size_t>(PyTuple_GET_SIZE(items.ptr()));
    ValueList list;
    list.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
      way_.emplace_back(i);
      list.push_back(read(PyTuple_GET_ITEM(items.ptr(), static_cast<Py_ssize_t>(i))));
      way_.pop_back();
    }
    return list;
  }

  const char* root_;
  std::vector<Step> way_;
  std::vector<PyObject*> open_;  // the containers on the way
  std::size_t elements_ = 0;
};

}  // namespace

ValueMap to_value_map(nb::handle object, const char* root) {
  return TreeReader(root).read_root(object);
}

nb::object to_python(std::string_view text) {
  PyObject* const decoded =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  if (decoded == nullptr) throw nb::python_error();
  return nb::steal(decoded);
}

nb::object to_python(const Value& value) {
  return std::visit(
      [](const auto& held) -> nb::object {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::monostate>) {
          return nb::none();
        } else if constexpr (std::is_same_v<Held, std::string>) {
          return to_python(std::string_view(held));
        } else if constexpr (std::is_same_v<Held, ValueBytes>) {
          return nb::bytes(held.data.data(), held.data.size());
        } else if constexpr (std::is_same_v<Held, ValueList>) {
          nb::list list;
          for (const Value& item : held) list.append(to_python(item));
          return list;
        } else if constexpr (std::is_same_v<Held, ValueMap>) {
          nb::dict dict;
          for (const auto& [key, item] : held)
            dict[to_python(std::string_view(key))] = to_python(item);
          return dict;
        } else {
          return nb::cast(held);
        }
      },
      value.storage());
}

}  // namespace taskpipe::python
