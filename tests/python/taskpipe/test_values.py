"""Params: what may travel, and what is said about the rest. No service."""

import enum
import math

import pytest
import taskpipe
from taskpipe import _native


def refusal(params):
    """What is raised for these params."""
    with pytest.raises(taskpipe.InvalidArgument) as caught:
        _native.Request("tool", "script", params)
    assert caught.value.code == "INVALID"
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(caught.value.field)
    return caught.value


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


class Index:
    def __index__(self):
        return 7


class Level(enum.IntEnum):
    HIGH = 3


def test_what_may_travel():
    _native.Request("tool", "script", None)
    _native.Request("tool", "script", {})
    _native.Request(
        "tool",
        "script",
        {
            "none": None, "yes": True, "int": -(2**63), "largest": 2**63 - 1, "float": 1e-300,
            "text": "ä€🎉", "empty": "", "bytes": b"\x00\xff", "list": [1, [2, [3]]],
            "tuple": (1, 2), "dict": {"a": {"b": []}}, "index": Index(), "enum": Level.HIGH,
        },
    )


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"grid": [1, 2, math.nan]}, "params['grid'][2]", "is NaN"),
        ({"a": {"b": [{"c": math.inf}]}}, "params['a']['b'][0]['c']", "is infinite"),
        ({"a": 2**63}, "params['a']", "64 bits"),
        ({"a": -(2**63) - 1}, "params['a']", "64 bits"),
        ({"a": {1: 2}}, "params['a']", "has the key 1 of type int"),
        ({None: 2}, "params", "has the key None"),
        ({"a": {"": 2}}, "params['a']", "empty key"),
        ({"a": {1, 2}}, "params['a']", "of type set"),
        ({"a": [object()]}, "params['a'][0]", "of type object"),
        ({"a": 1j}, "params['a']", "of type complex"),
        ({"a": "\ud800"}, "params['a']", "surrogates"),
        ({"\ud800": 1}, "params['\\ud800']", "surrogates"),
        ({"a": nested(33)}, "params['a']" + "[0]" * 31, "nested deeper than 32"),
        ({"a": [0] * 1_000_001}, "params", "more than 1000000 elements"),
        ([("a", 1)], "params", "of type list"),
    ],
)
def test_the_place_is_named(params, field, words):
    error = refusal(params)
    assert error.field == field
    assert words in str(error)


def test_what_contains_itself_is_refused():
    loop = []
    loop.append({"again": loop})
    assert refusal({"x": loop}).field == "params['x'][0]['again']"
    params = {}
    params["me"] = params
    assert "contains itself" in str(refusal(params))


def test_the_same_list_twice_is_no_loop():
    shared = [1, 2]
    _native.Request("tool", "script", {"a": shared, "b": [shared, shared]})


def test_values_come_back_as_they_were(client):
    params = {
        "none": None, "yes": True, "int": -(2**63), "float": 0.1, "text": "ä€🎉", "bytes": b"\0\xff",
        "list": [1, [2.5, {"k": None}]], "dict": {"a": {"b": []}},
    }
    result = client.wait(client.submit("echo", "", params), timeout=60)
    assert result.value == params


def test_huge_params_are_refused_before_they_are_sent(client):
    with pytest.raises(taskpipe.InvalidArgument) as caught:
        client.submit("echo", "", {"big": "x" * (5 << 20)})
    assert caught.value.code == "TOO_BIG"
    assert "params" in caught.value.field
