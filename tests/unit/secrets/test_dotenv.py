"""`.env` files: what is understood, and what is refused by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.secrets import dotenv


def values(text: str) -> dict[str, str]:
    return {entry.name: entry.value.reveal_text() for entry in dotenv.parse(text)}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("A =  b  ", "b"),
        ("export A=b", "b"),
        ("\texport  A=b", "b"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A=b # comment", "b"),
        ("A=b#c", "b#c"),
        ("A=postgres://u:p@h/d?x=1&y==", "postgres://u:p@h/d?x=1&y=="),
        ("A=two words", "two words"),
        ("A=$HOME/x", "$HOME/x"),
        ("A='$HOME \\n # \"x\"'", '$HOME \\n # "x"'),
        ('A="b c" # comment', "b c"),
        ('A="a\\nb\\t\\"c\\" \\\\ \\$d"', 'a\nb\t"c" \\ $d'),
        ("A=''", ""),
        ('A="it\'s"', "it's"),
        ('A="-----BEGIN\nabc\n-----END"', "-----BEGIN\nabc\n-----END"),
        ("A='one\ntwo'", "one\ntwo"),
        ("A=b\r\n", "b"),
        ("\ufeffA=b", "b"),
    ],
)
def test_value_is_read_as_written(line: str, value: str) -> None:
    assert values(line) == {"A": value}


def test_entries_keep_their_order_and_line() -> None:
    entries = dotenv.parse("# top\n\nB='x\ny'\n  # mid\nA=2\n")
    assert [(entry.name, entry.line) for entry in entries] == [("B", 3), ("A", 6)]


@given(st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])))
def test_any_value_in_double_quotes_survives(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    assert values(f'A="{escaped}"\nB=1') == {"A": value, "B": "1"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("  hello", ".env:1:3: expected NAME=value"),
        ("=x", ".env:1:1: expected NAME=value"),
        ("A=1\nB", ".env:2:1: expected NAME=value"),
        ("A='x", ".env:1:3: the ' is never closed"),
        ('A="x" y', ".env:1:6: unexpected text after the closing quote"),
        ("A=1\nA=2", ".env:2:1: A was already given on line 1"),
    ],
)
def test_faulty_line_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(errors.InvalidConfig) as caught:
        dotenv.parse(text)
    assert caught.value.problems == (problem,)


def test_unknown_escape_is_refused_at_the_backslash() -> None:
    with pytest.raises(errors.InvalidConfig) as caught:
        dotenv.parse('A="x\\q"')
    assert caught.value.problems[0].startswith(".env:1:5: unknown escape")


def test_backslash_at_the_end_of_a_line_is_refused() -> None:
    with pytest.raises(errors.InvalidConfig) as caught:
        dotenv.parse('A="x\\\ny"')
    assert caught.value.problems[0].startswith(".env:1:5: unknown escape")


def test_name_that_no_reference_could_have_is_refused() -> None:
    with pytest.raises(errors.InvalidConfig) as caught:
        dotenv.parse("A.B=1")
    assert caught.value.problems[0].startswith(".env:1:1: 'A.B' is not a name")


def test_all_faults_are_reported_at_once_and_no_line_is_quoted() -> None:
    with pytest.raises(errors.InvalidConfig) as caught:
        dotenv.parse("hunter2\nA=1\nA='hunter2' hunter2\n", file="x/.env")
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "x/.env:1:1",
        "x/.env:3:12",
    ]
    assert "hunter2" not in "".join(caught.value.problems) + caught.value.hint
