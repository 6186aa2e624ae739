from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca.spec.source import BrokenToml, Span, parse

TEXT = """\
top = 1
[[service]]
name = "a"
deep.er = { p = 1, q = [1, { z = 2 }] }
[service.env]
"A b" = 2
[[service.volumes]]
s = [
  1, # one
  2,
]

[[service]]
name = "ü" # second
[service.env]
X = "y"
"""


def places(text: str) -> dict[tuple[str | int, ...], tuple[int, int]]:
    document = parse(text, name="x.toml")
    return {path: (span.line, span.column) for path, span in document.values.items()}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("top",), (1, 7)),
        (("service", 0), (2, 1)),
        (("service", 0, "name"), (3, 8)),
        (("service", 0, "deep", "er"), (4, 11)),
        (("service", 0, "deep", "er", "p"), (4, 17)),
        (("service", 0, "deep", "er", "q", 0), (4, 25)),
        (("service", 0, "deep", "er", "q", 1, "z"), (4, 34)),
        (("service", 0, "env"), (5, 1)),
        (("service", 0, "env", "A b"), (6, 9)),
        (("service", 0, "volumes", 0), (7, 1)),
        (("service", 0, "volumes", 0, "s", 1), (10, 3)),
        (("service", 1, "name"), (14, 8)),
        (("service", 1, "env", "X"), (16, 5)),
    ],
)
def test_every_value_has_its_place(path: tuple[str | int, ...], place: tuple[int, int]) -> None:
    assert places(TEXT)[path] == place


def test_table_after_array_of_tables_belongs_to_the_last_element() -> None:
    document = parse(TEXT, name="x.toml")
    assert document.data["service"][1]["env"] == {"X": "y"}
    assert ("service", 1, "env", "X") in document.values
    assert ("service", 0, "env", "X") not in document.values


def test_keys_have_places_of_their_own() -> None:
    document = parse(TEXT, name="x.toml")
    assert document.span(("service", 0, "env"), key=True) == Span(line=5, column=10, length=3)
    assert document.span(("service", 1, "name"), key=True) == Span(line=14, column=1, length=4)


def test_unknown_path_leads_to_the_nearest_thing_around_it() -> None:
    document = parse(TEXT, name="x.toml")
    assert document.span(("service", 1, "port")).line == 13
    assert document.span(("nowhere", "at", "all")) == Span(line=1, column=1)


def test_columns_count_characters_not_bytes() -> None:
    assert places('"ü€" = 1\n')[("ü€",)] == (1, 8)


def test_windows_line_ends_do_not_move_places() -> None:
    assert places(TEXT.replace("\n", "\r\n")) == places(TEXT)


def test_span_of_a_header_ends_before_its_comment() -> None:
    document = parse("[[service]] # one\n", name="x.toml")
    assert document.span(("service", 0)) == Span(line=1, column=1, length=11)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a = 1\nb = \n", 2, 5),
        ("a = 1\na = 2\n", 2, 6),
        ('a = "x', 1, 7),
        ("[a\n", 1, 3),
        ("a = [1, 2", 1, 10),
        ("", 1, 1),
    ],
)
def test_broken_toml_says_where_it_stops_making_sense(text: str, line: int, column: int) -> None:
    if not text:
        assert parse(text, name="x.toml").data == {}
        return
    with pytest.raises(BrokenToml) as caught:
        parse(text, name="x.toml")
    assert (caught.value.span.line, caught.value.span.column) == (line, column)
    assert "at line" not in caught.value.message


def test_absurd_nesting_is_a_problem_not_a_crash() -> None:
    with pytest.raises(BrokenToml, match="nested too deeply"):
        parse("a = " + "[" * 5000 + "]" * 5000, name="x.toml")


KEYS = st.sampled_from(["a", "b", "port", '"x y"', "'q'", "ü"]).map(
    lambda key: f'"{key}"' if key == "ü" else key
)
VALUES = st.recursive(
    st.sampled_from(["1", "true", '"s"', "'l'", "1979-05-27", '"""\nm"""', "[]", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{k} = {v}" for k, v in items.items()) + "}"
        )
    ),
    max_leaves=6,
)
PAIRS = st.dictionaries(KEYS, VALUES, max_size=3).map(
    lambda pairs: "".join(f"{key} = {value}\n" for key, value in pairs.items())
)
SERVICES = st.lists(st.tuples(PAIRS, PAIRS), max_size=4).map(
    lambda found: "".join(f"[[service]]\n{one}[service.env]\n{two}" for one, two in found)
)


@given(top=PAIRS, services=SERVICES)
def test_every_path_of_the_data_has_a_place(top: str, services: str) -> None:
    document = parse(top + services, name="x.toml")
    for path in every_path(tomllib.loads(top + services), ()):
        assert path in document.values or isinstance(path[-1], str), path
        span = document.span(path)
        assert 1 <= span.line <= len(document.lines)
        assert 1 <= span.column <= len(document.line(span.line))


def every_path(data: object, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(data, dict):
        inner = list(data.items())
    elif isinstance(data, list):
        inner = list(enumerate(data))
    return [
        found for key, item in inner for found in [(*path, key), *every_path(item, (*path, key))]
    ]
